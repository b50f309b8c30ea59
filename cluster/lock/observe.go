package lock

import (
	"context"
	"iter"
	"slices"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// Leader is who leads, as others see it.
type Leader struct {
	// Node is the name of the leader's node, and Session that of its session.
	Node, Session string
	// Term is that of [Leadership.Term]. It is 0 if there is no leader; then the other
	// fields are empty.
	Term uint64
	// Value is what the leader gave to [Campaign].
	Value string
}

// Observe yields the leader of an election, if only that there is none, and then every
// change: each leader in the order of their terms, and when there is none. A leader that
// was yielded may be over; one that must not be over has to prove it, by its term.
//
// The loop ends with an error: that of ctx, Unavailable if the replicated store cannot be
// reached at its beginning, or persistence.ErrHistoryGone if it was slower than the
// history is long. Then call Observe again. Where the store cannot be reached later, it
// waits, and then yields what has happened.
func Observe(ctx context.Context, n *cluster.Node, election string) iter.Seq2[Leader, error] {
	return observe(ctx, node{n}, election)
}

func observe(ctx context.Context, h host, election string) iter.Seq2[Leader, error] {
	return func(yield func(Leader, error) bool) {
		o := observer{yield: yield}
		if err := o.run(ctx, h, election); err != nil {
			yield(Leader{}, actor.Errorf(actor.CodeOf(err), "lock: observing election %q: %w", election, err))
		}
	}
}

// observer follows the queue of an election.
type observer struct {
	yield  func(Leader, error) bool
	queue  queue
	line   line
	claims []Claim // of those in the line
	told   uint64  // the latest term
}

// run returns nil if the loop was left.
func (o *observer) run(ctx context.Context, h host, election string) (err error) {
	if o.queue, err = newElection(election); err != nil {
		return err
	}
	s, err := h.Session(ctx)
	if err != nil {
		return err
	}
	store := s.Store()
	records, after, err := persistence.Current(ctx, store, o.queue.prefix)
	if err != nil {
		return err
	}
	if o.line, o.claims, err = o.queue.claims(records); err != nil {
		return err
	}
	if !o.tell() {
		return nil
	}
	for changes, err := range store.Watch(ctx, o.queue.prefix, after) {
		if err != nil {
			return err
		}
		for _, c := range changes.Changes {
			if err := o.apply(c, changes.Revision); err != nil {
				return err
			}
		}
		if o.term() != o.told && !o.tell() {
			return nil
		}
	}
	return nil
}

// term returns that of the leader: the first in the line.
func (o *observer) term() uint64 {
	if len(o.claims) == 0 {
		return 0
	}
	return o.claims[0].Token
}

func (o *observer) tell() bool {
	o.told = o.term()
	if o.told == 0 {
		return o.yield(Leader{}, nil)
	}
	first := o.claims[0]
	return o.yield(Leader{Node: first.Node, Session: first.Session, Term: first.Token, Value: first.Value}, nil)
}

func (o *observer) apply(c persistence.Change, revision persistence.Revision) error {
	if c.Delete {
		if i := o.line.index(c.Key); i >= 0 {
			o.line, o.claims = slices.Delete(o.line, i, i+1), slices.Delete(o.claims, i, i+1)
		}
		return nil
	}
	p, err := o.queue.parsePlace(c.Key, revision)
	if err != nil {
		return err
	}
	claim, err := p.claim(c.Value)
	if err != nil {
		return err
	}
	o.line, o.claims = append(o.line, p), append(o.claims, claim)
	return nil
}
