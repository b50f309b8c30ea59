// Package greet is the contract between greeters and those who want to be greeted:
// plain Go types that both sides import. Nothing is generated or registered.
package greet

import "github.com/troupe-go/troupe/actor"

// Greeter is the protocol: the set of messages that a greeter accepts.
type Greeter struct{}

// Hello is a request of the Greeter protocol; it is answered by a Greeting.
type Hello struct {
	actor.Call[Greeter, Greeting]
	Name string // of whoever wants to be greeted
}

// Greeting is the answer to Hello.
type Greeting struct{ Text string }

// Forget lets a greeter forget how often it has greeted. It is told, not asked:
// nobody waits for an answer.
type Forget struct{ actor.Cast[Greeter] }
