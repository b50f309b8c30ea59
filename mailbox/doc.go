// Package mailbox holds what lies between the senders of messages and the actor
// that handles them, and knows nothing of actors: queues, and the scheduler that
// runs whoever has messages waiting.
//
// A [Queue] keeps messages in order. [Unbounded] always has room; [Bounded] has a
// limit and an [Overflow] policy. Others can be written and tested with package
// queuetest.
//
// A [Scheduler] runs a [Task], one turn of one mailbox, on an elastic pool of
// goroutines. Tasks may block; idle mailboxes cost nothing.
package mailbox
