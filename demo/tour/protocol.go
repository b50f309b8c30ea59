package main

import (
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Worker is the protocol of the service that the tour calls.
type Worker struct{}

// Work asks for something that must not happen twice.
type Work struct {
	actor.Call[Worker, Done]
	Key   string        // what ConsistentHash goes by
	Takes time.Duration // how long the work is
}

// RouteKey implements [cluster.Keyed].
func (w Work) RouteKey() string { return w.Key }

// SafeWork is Work that may happen twice.
type SafeWork struct {
	actor.Call[Worker, Done]
	actor.Idempotent
	Takes time.Duration
}

// Done says who did the work.
type Done struct{ Node string }

// Ledger is the protocol of an actor that checks the order of what it is told.
type Ledger struct{}

// Entry is the next number in a row that begins at 0.
type Entry struct {
	actor.Cast[Ledger]
	Number int
}

// Audit asks what the ledger has seen.
type Audit struct{ actor.Call[Ledger, Audited] }

// Audited is the answer to Audit.
type Audited struct {
	Entries   int // all that came
	Surprises int // those whose number was not the next one
}
