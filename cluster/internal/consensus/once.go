package consensus

import "sync/atomic"

// once runs one function, and has all who want it done wait for its end. Unlike
// [sync.Once] it has them wait on a channel, so that virtual time goes on.
type once struct {
	begun atomic.Bool
	done  chan struct{}
}

func newOnce() *once { return &once{done: make(chan struct{})} }

// do returns when f has returned, which is run by the first caller.
func (o *once) do(f func()) {
	if !o.begun.CompareAndSwap(false, true) {
		<-o.done
		return
	}
	defer close(o.done)
	f()
}
