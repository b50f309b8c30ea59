package actor

import "github.com/troupe-go/troupe/mailbox"

// Config is what can be set of a kind of actors from outside of the code. It is a
// [DefineOption], which sets all of it:
//
//	accounts := actor.Define("accounts", ...).With(live.Get().Accounts)
//
// Fill it with package settings, which knows the defaults. A change counts for actors
// that are spawned from a definition that was made after it.
type Config struct {
	Mailbox     mailbox.Config `doc:"The messages that wait for an actor."`
	StashLimit  int            `default:"10000" doc:"How many messages an actor may stash." validate:"min=0"`
	Supervision Supervision    `doc:"What becomes of an actor that panics."`
}

func (c Config) applyDefine(d *definition) {
	d.queue = unboundedQueue
	if c.Mailbox.Capacity > 0 {
		BoundedMailbox(c.Mailbox.Capacity, c.Mailbox.Overflow).applyDefine(d)
	}
	d.stashLimit = c.StashLimit
	Supervised(c.Supervision).applyDefine(d)
}
