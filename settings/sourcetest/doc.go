// Package sourcetest tests implementations of koanf's Provider, the seam for other
// sources of settings: see settings.From.
package sourcetest
