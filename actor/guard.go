package actor

// Guard lets check refuse messages in the actor's turn, just before each would be
// handled, timers included: for an actor that must not go on when something it
// depends on, such as a lease, is gone. What check returns is the answer; the message
// surely was not handled, and one that was told becomes a dead letter. check must be
// quick, and is called by the actor only. It is not asked about Started and Stopped. If it
// panics, the answer is Internal, and the actor goes on.
func Guard(check func() error) DefineOption {
	return defineOption(func(d *definition) { d.guard = check })
}

// admitted reports whether the guard lets e be handled; else it has been answered.
func (c *cell) admitted(e Envelope) bool {
	c.checking = true // it may not return
	err := c.def.guard()
	if err == nil {
		c.checking = false
		return true
	}
	refusal := *AsError(err)
	c.checking = false
	refusal.NotRun, refusal.cause = true, err
	c.system.undelivered(e, c, &refusal)
	return false
}
