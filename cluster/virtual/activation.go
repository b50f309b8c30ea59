package virtual

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// activation is a virtual actor that runs here.
type activation struct {
	server  *server
	name    string
	shard   *shard
	session session // nil for BestEffort
	address actor.Address
	revoked atomic.Bool // it handles nothing any more
	ending  atomic.Bool // it has been told to end: what comes is not for it
	uses    atomic.Uint64

	// Guarded by server.mu.
	over   bool
	parked []parked

	// Owned by sweep.
	seen  uint64
	since time.Time
}

// parked is a message from another node that came after the actor had been told to
// end, and before it had.
type parked struct {
	ctx      context.Context
	delivery actor.Delivery
}

// maxParked bounds what waits for one activation to end.
const maxParked = 1000

// drainTimeout is how long an activation may handle what it has once it must go,
// before its context is cancelled.
const drainTimeout = 10 * time.Second

// check is called before each message, in the actor's turn.
func (a *activation) check() error {
	a.uses.Add(1)
	if a.revoked.Load() {
		return notHere(a.name, "its node has lost the shard")
	}
	if a.session != nil {
		if err := a.session.Err(); err != nil {
			return notHere(a.name, err.Error())
		}
	}
	return nil
}

func (a *activation) watch() {
	// An actor of this system can always be watched.
	_, _ = a.address.Recipient().Watch(func(error) { a.server.ended(a) })
}

// noWait lets an actor of the system be ended without waiting for that.
func noWait() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// drain lets the actor end after what it has. What comes from now on does not wait behind
// that in its mailbox.
func (a *activation) drain() {
	a.ending.Store(true)
	_ = a.server.kind.extension.node.System().DrainActor(noWait(), a.address)
}

// stop ends the actor at once: it handles no further message.
func (a *activation) stop() {
	a.revoked.Store(true)
	a.ending.Store(true)
	_ = a.server.kind.extension.node.System().StopActor(noWait(), a.address)
}

// deliver gives a message to the actor, or parks it if that is ending. It fails with
// isGone if the activation is over.
func (a *activation) deliver(ctx context.Context, d actor.Delivery) error {
	err := error(nil)
	if !a.ending.Load() {
		err = a.server.kind.extension.node.System().Deliver(ctx, d)
		if err == nil || !isGone(err) {
			return err
		}
	}
	if parked, refused := a.server.park(a, ctx, d); parked || refused != nil {
		return refused
	}
	return over(a.name)
}

// tell and ask are for senders on the node of the actor, who wait for its next activation
// where it is ending.
func (a *activation) tell(e actor.Envelope) error {
	if a.ending.Load() {
		return over(a.name)
	}
	return a.address.Recipient().Tell(e)
}

func (a *activation) ask(e actor.Envelope) error {
	if a.ending.Load() {
		return over(a.name)
	}
	return a.address.Recipient().Ask(e)
}

// over is the error for an activation that takes nothing any more.
func over(name string) *actor.Error {
	return refusal(actor.NotFound, "an activation of %s is over", refPath(name))
}

// park keeps a message until the activation has ended; false if it has.
func (s *server) park(a *activation, ctx context.Context, d actor.Delivery) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.over:
		return false, nil
	case s.gone:
		return false, leaving(a.name)
	case len(a.parked) >= maxParked:
		return false, refusal(actor.ResourceExhausted, "too many messages wait for the next activation of %s", refPath(a.name))
	}
	d.Payload = slices.Clone(d.Payload)
	a.parked = append(a.parked, parked{ctx, d})
	return true, nil
}

// maxEndings is how many activations a message may see end before it is given back.
const maxEndings = 10

// deliver takes a message from another node. It does not wait.
func (k *kind) deliver(ctx context.Context, d actor.Delivery) error {
	s := k.server.Load()
	if s == nil {
		return notHere(d.Path, "its node does not serve the kind")
	}
	d.Gone = k.again // what its mailbox has no room for goes to the next activation
	for range maxEndings {
		a, err := s.find(d.Path)
		if err != nil {
			if d.Reply == nil && isUntaken(err, nil) {
				return k.keep(d.Path, letter{forwarded: newForwarded(d), from: ctx})
			}
			return err
		}
		if err = a.deliver(ctx, d); err == nil || !isGone(err) {
			return err
		}
	}
	return notHere(d.Path, "it stops as soon as it is activated")
}

// arrived takes a message that came by a detour.
func (k *kind) arrived(ctx context.Context, f forwarded) error {
	err := k.tellForwarded(ctx, f)
	if err != nil && isUntaken(err, nil) {
		return k.keep(f.Path, letter{forwarded: &f, from: ctx})
	}
	return err
}

func (k *kind) tellForwarded(ctx context.Context, f forwarded) error {
	a, err := k.findHere(f.Path)
	if err != nil {
		return err
	}
	return a.deliver(ctx, f.delivery())
}

// tellHere and askHere are for senders on the node of the actor.
func (k *kind) tellHere(name string, e actor.Envelope) error {
	a, err := k.findHere(name)
	if err != nil {
		return err
	}
	return a.tell(e)
}

func (k *kind) askHere(name string, e actor.Envelope) error {
	a, err := k.findHere(name)
	if err != nil {
		return err
	}
	return a.ask(e)
}

// activated returns the activation of an actor on this node, nil if there is none.
func (k *kind) activated(name string) *activation {
	if s := k.server.Load(); s != nil {
		if a, ok := s.active.Load(name); ok {
			return a.(*activation)
		}
	}
	return nil
}

func (k *kind) findHere(name string) (*activation, error) {
	s := k.server.Load()
	if s == nil {
		return nil, notHere(name, "its node does not serve the kind")
	}
	return s.find(name)
}

func isGone(err error) bool {
	e := actor.AsError(err)
	return e.Code == actor.NotFound && e.NotRun
}
