//go:build race

package chaos

import "time"

const usualLength = 20 * time.Second // more takes minutes here
