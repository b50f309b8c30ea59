//go:build !race

package chaos

import "time"

const usualLength = time.Minute
