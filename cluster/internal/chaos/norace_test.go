//go:build !race

package chaos

import "time"

const usualLength = 40 * time.Second
