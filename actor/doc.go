// Package actor runs typed actors.
//
// An actor is a value with a mailbox. It handles one message at a time, so its
// fields need no locks; others know it by a [Ref] and can only send it messages. A
// protocol is a plain type that names the set of messages an actor accepts: a
// message embeds [Call] or [Cast] of it, and [Ask] or [Tell] of another protocol's
// message does not compile.
//
//	type Greeter struct{} // the protocol
//
//	type Hello struct { // asked, and answered by a Greeting
//		actor.Call[Greeter, Greeting]
//		Name string
//	}
//
// [Define] binds handlers to messages, [Spawn] starts an actor, [System] holds the
// actors of one node. A Ref is the same whether the actor is here or, with package
// cluster, on another node.
//
// # Guarantees
//
// Messages that one goroutine tells to one actor arrive in that order, each at most
// once. What cannot be queued is an error to its sender; what is lost later fails
// the request or becomes a [DeadLetter].
//
// A handler that panics, or leaves by runtime.Goexit, fails its request at once with
// the code Internal, and the actor by its [Supervision]: the default is a fresh
// value that takes over the mailbox, after a pause that grows. Children stop before
// their parent ends or restarts.
//
// A handler may block, in a database or in Ask: other actors are not held up. The
// [Context] that it gets is a context.Context and ends when the caller gives up or
// the actor has to stop. A request whose caller has gone before its turn is skipped.
//
// Within one process a message is handed over as it is: whoever sends a pointer,
// slice or map must not change it afterwards.
//
// The model is that of Hewitt, Bishop and Steiger (A Universal Modular ACTOR
// Formalism, 1973), and supervision is Erlang's (Armstrong, Making reliable
// distributed systems in the presence of software errors, 2003).
package actor
