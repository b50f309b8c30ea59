package actor

// Starter is implemented by an actor that has something to do before its first
// message, after each restart too.
type Starter interface {
	// Started may return an error, which counts as a failure of the actor.
	Started(ctx *Context) error
}

// Stopper is implemented by an actor that must clean up.
type Stopper interface {
	// Stopped is called after the last message, and before a restart. The
	// context has ended by then. It must not call Spawn.
	Stopped(ctx *Context)
}

// Watcher is implemented by an actor that watches others; see [Context.Watch].
type Watcher interface {
	Terminated(ctx *Context, t Terminated)
}
