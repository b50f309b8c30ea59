// Package snapshot is raft's snapshot store over a state machine that is on disk by itself.
//
// A snapshot of raft's is a marker in the log. The bytes that a follower needs are made
// when somebody asks for them, and spooled.
package snapshot
