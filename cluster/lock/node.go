package lock

import (
	"context"
	"log/slog"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// host is what a lock needs of a *cluster.Node.
type host interface {
	Name() string
	System() *actor.System
	Session(context.Context) (session, error)
	Waiting(level slog.Leveler, what string) *cluster.Wait
}

// session is what a lock needs of a *cluster.Session.
type session interface {
	ID() string
	Store() persistence.Store
	Done() <-chan struct{}
	Err() error
	Own(persistence.Transaction, ...string) persistence.Transaction
	Disown(persistence.Transaction, ...string) persistence.Transaction
}

type node struct{ *cluster.Node }

func (n node) Session(ctx context.Context) (session, error) {
	s, err := n.Node.Session(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}
