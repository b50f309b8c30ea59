package main

import "github.com/troupe-go/troupe/actor"

// Account is the protocol of an account.
type Account struct{}

// Move puts money in, or takes it out where Amount is negative. It happens once,
// however often it is sent with the same ID: that is what lets it be Idempotent, so
// that the cluster sends it again by itself where a node was lost.
type Move struct {
	actor.Call[Account, Balance]
	actor.Idempotent
	ID     string
	Amount int
}

// Show asks how things stand.
type Show struct {
	actor.Call[Account, Balance]
	actor.Idempotent
}

// Balance is how things stand after so many moves.
type Balance struct {
	Amount int
	Moves  uint64
}

var errOverdrawn = actor.NewError(actor.FailedPrecondition, "overdrawn")
