// Package spool keeps a snapshot on its way, so that neither its writer nor its reader
// waits for the other.
package spool
