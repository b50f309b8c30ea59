// Package actortest helps to test actors: [NewSystem] makes a system that must stop
// cleanly when the test ends, an [Inbox] keeps what an actor under test tells
// another one, and [DeadLetters] keeps what was lost.
//
// All of it works inside a testing/synctest bubble, where timers and back-offs take
// no time.
package actortest
