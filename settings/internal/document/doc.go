// Package document reads what sources of settings say into trees of values, each of which
// knows where it was given: YAML, TOML and JSON with their lines, and values of Go.
package document
