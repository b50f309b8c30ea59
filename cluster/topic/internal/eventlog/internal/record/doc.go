// Package record reads the records of an event log, which may be damaged or of a later
// version, without a panic and within what they hold.
package record
