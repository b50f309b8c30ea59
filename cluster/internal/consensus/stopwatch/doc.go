// Package stopwatch tells how long work has been under way that has not ended, so that a
// disk or a peer which hangs is noticed while it does.
package stopwatch
