package main

import "github.com/troupe-go/troupe/actor"

// Room is the protocol of the chat rooms.
type Room struct{}

// Say is answered when what was said is kept. It may be sent again: ID tells.
type Say struct {
	actor.Call[Room, Said]
	actor.Idempotent
	ID  string
	Who string
	N   int // of those of this person
}

// Said says where a room runs.
type Said struct {
	Node  string
	Epoch uint64 // of the room's activation; see virtual.Epoch
}

// Read is answered with all that was said, oldest first.
type Read struct {
	actor.Call[Room, []Line]
	actor.Idempotent
}

// Line is what somebody said.
type Line struct {
	Who string
	N   int
}
