package virtual

import (
	"context"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// session is what this package needs of a cluster.Session.
type session interface {
	ID() string
	Store() persistence.Store
	Done() <-chan struct{}
	Err() error
	Own(t persistence.Transaction, keys ...string) persistence.Transaction
	Disown(t persistence.Transaction, keys ...string) persistence.Transaction
}

var _ session = (*cluster.Session)(nil)

// opener returns the session of a node, as cluster.Node.Session does.
type opener func(ctx context.Context) (session, error)

func sessionsOf(n *cluster.Node) opener {
	return func(ctx context.Context) (session, error) {
		s, err := n.Session(ctx)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}
