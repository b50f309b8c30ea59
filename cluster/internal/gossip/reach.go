package gossip

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// finding is what trying to connect to a member showed.
type finding int

const (
	unknown     finding = iota // this process had trouble of its own, or closes
	reached                    // the system took a connection
	unreachable                // the system refused, or did not answer
)

// connect tries to reach a member's system, again and again, since a network loses
// packets. It counts attempts, not time: those of a process that was paused meanwhile
// are still to come. When the first ones were not answered, it calls doubt.
func (d *detector) connect(m Member, doubt func()) finding {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	results := make(chan error, d.attempts)
	ticker := time.NewTicker(d.pause)
	defer ticker.Stop()
	for range d.attempts {
		attempts.Go(func() { results <- d.reach(ctx, m.Address) })
		for waiting := true; waiting; {
			select {
			case err := <-results:
				switch {
				case err == nil:
					return reached
				case errors.Is(err, syscall.ECONNREFUSED):
					return unreachable
				case !unanswered(err):
					d.log.Debug("gossip: could not try to reach a member", "node", m.Node, "error", err)
					return unknown
				}
			case <-ticker.C:
				waiting = false
			case <-d.ctx.Done():
				return unknown
			}
		}
		if d.attempted(m) == doubtful {
			doubt()
		}
	}
	return unreachable
}

// unanswered reports whether an attempt to connect failed for want of an answer. Other
// errors, such as that no file can be opened any more, say nothing about the other side.
func unanswered(err error) bool {
	var network net.Error
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.As(err, &network) && network.Timeout()
}
