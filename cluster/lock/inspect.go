package lock

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// State is who holds a lock, and who waits for it, each in the order of asking.
type State struct{ Holders, Waiters []Claim }

// Claim is somebody who holds a lock or waits for it.
type Claim struct {
	// Node is the name of the node, and Session that of its session.
	Node, Session string
	// Token is, or will be, the fencing token.
	Token uint64
	// Since is when it asked, by the clock of its node.
	Since time.Time
	// Value is what [WithValue] said.
	Value string
	// Permits of that many are asked for: 1 of 1 is a plain lock, and 1 of 0 one that
	// is [Shared].
	Permits, Of int
}

// Inspect returns who holds the lock with that name, and who waits. It is for people,
// and for tools: what it says may be over when it returns. Its errors are those of the
// replicated store.
func Inspect(ctx context.Context, n *cluster.Node, name string) (State, error) {
	return inspect(ctx, node{n}, name)
}

func inspect(ctx context.Context, h host, name string) (State, error) {
	q, err := newQueue("lock", lockQueues, name)
	if err != nil {
		return State{}, err
	}
	s, err := h.Session(ctx)
	if err != nil {
		return State{}, actor.Errorf(actor.CodeOf(err), "lock: inspecting %s: %w", q, err)
	}
	records, err := s.Store().List(ctx, persistence.Query{Prefix: q.prefix})
	if err != nil {
		return State{}, actor.Errorf(actor.CodeOf(err), "lock: inspecting %s: %w", q, err)
	}
	now, claims, err := q.claims(records)
	if err != nil {
		return State{}, actor.Errorf(actor.CodeOf(err), "lock: inspecting %s: %w", q, err)
	}
	holders := now.holders()
	return State{claims[:holders:holders], claims[holders:]}, nil
}

// claims returns who is in the queue, and what is known of them.
func (q queue) claims(records []persistence.Record) (_ line, _ []Claim, err error) {
	now := make(line, len(records))
	byKey := make(map[string]Claim, len(records))
	for i, r := range records {
		if now[i], err = q.parsePlace(r.Key, r.Revision); err != nil {
			return nil, nil, err
		}
		if byKey[r.Key], err = now[i].claim(r.Value); err != nil {
			return nil, nil, err
		}
	}
	now.sort()
	claims := make([]Claim, len(now))
	for i, p := range now {
		claims[i] = byKey[p.key]
	}
	return now, claims, nil
}

func (p place) claim(value []byte) (Claim, error) {
	r, err := decodeRecord(p.key, value)
	if err != nil {
		return Claim{}, err
	}
	return Claim{
		Node: r.Node, Session: r.Session, Token: uint64(p.revision), Since: r.Since, Value: string(r.Value),
		Permits: int(p.permits), Of: int(p.limit),
	}, nil
}
