// Package raftlog keeps the log of a raft server in a Badger store: entries, votes, terms,
// and where the latest snapshot ends.
//
// What raft gets wrong entries from would be a panic of raft. An entry that cannot be
// read is reported instead, once, to whoever opened the log.
package raftlog
