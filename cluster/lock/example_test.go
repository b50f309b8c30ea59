package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/lock"
	"github.com/troupe-go/troupe/security"
)

// joinHere joins a cluster of one. A program just calls cluster.Join(ctx).
func joinHere(ctx context.Context) (*cluster.Node, error) {
	secret, err := security.ParseSecret("the secret of the examples")
	if err != nil {
		return nil, err
	}
	return cluster.Join(ctx,
		cluster.WithCluster("examples"),
		cluster.WithName("ada"),
		cluster.WithSecret(secret),
		cluster.WithListen("127.0.0.1:0"),
		cluster.WithDiscovery(), // there is nobody to find
		cluster.WithLogger(slog.New(slog.DiscardHandler)),
		cluster.WithEnvironment(func(string) string { return "" }),
	)
}

// Ledger is a resource that is safe even from a holder that was stopped and goes on when
// another one has the lock: it refuses tokens lower than one that it has seen. It would
// keep the highest one where it keeps its data.
type Ledger struct{ highest uint64 }

var errFenced = actor.NewError(actor.FailedPrecondition, "written by a former holder")

func (l *Ledger) Write(token uint64, text string) error {
	if token < l.highest {
		return errFenced
	}
	l.highest = token
	fmt.Println("written:", text)
	return nil
}

// What is done under a lock is done with its token.
func Example() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	var ledger Ledger

	first, err := lock.Acquire(ctx, node, "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := ledger.Write(first.Token(), "one"); err != nil {
		fmt.Println(err)
	}
	first.Release(ctx)

	second, err := lock.Acquire(ctx, node, "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer second.Release(ctx)
	if err := ledger.Write(second.Token(), "two"); err != nil {
		fmt.Println(err)
	}
	err = ledger.Write(first.Token(), "one, again")
	fmt.Println("refused:", errors.Is(err, errFenced))
	// Output:
	// written: one
	// written: two
	// refused: true
}

// Somebody else is at it, so this one need not be.
func ExampleTryAcquire() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	l, err := lock.TryAcquire(ctx, node, "nightly report")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Release(ctx)
	_, err = lock.TryAcquire(ctx, node, "nightly report")
	fmt.Println(errors.Is(err, lock.ErrHeld))
	// Output: true
}

// Two of three permits are taken, so that one is left.
func ExamplePermits() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	two, err := lock.Acquire(ctx, node, "licences", lock.Permits(2, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer two.Release(ctx)
	_, err = lock.TryAcquire(ctx, node, "licences", lock.Permits(2, 3))
	fmt.Println("two more:", err == nil)
	one, err := lock.TryAcquire(ctx, node, "licences", lock.Permits(1, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer one.Release(ctx)
	fmt.Println("one more:", one.Err() == nil)
	// Output:
	// two more: false
	// one more: true
}

func ExampleInspect() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	l, err := lock.Acquire(ctx, node, "ledger", lock.WithValue("closing the month"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Release(ctx)
	state, err := lock.Inspect(ctx, node, "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range state.Holders {
		fmt.Printf("%s: %s; %d waiting\n", h.Node, h.Value, len(state.Waiters))
	}
	// Output: ada: closing the month; 0 waiting
}

// A leader resigns, and somebody who observes is told.
func ExampleCampaign() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	leadership, err := lock.Campaign(ctx, node, "scheduler", "10.0.0.7:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	for leader, err := range lock.Observe(ctx, node, "scheduler") {
		if err != nil {
			fmt.Println(err)
			return
		}
		if leader.Term == 0 {
			fmt.Println("nobody leads")
			return
		}
		fmt.Println(leader.Node, "leads, at", leader.Value)
		if err := leadership.Resign(ctx); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// ada leads, at 10.0.0.7:80
	// nobody leads
}
