package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

const (
	customers = 64
	opening   = 1_000 // what is in each account at first

	patience = 5 * time.Second // until a customer asks again
)

// ledger is what the customers know: which moves were acknowledged, and how.
type ledger struct {
	accounts [accounts]actor.Ref[Account]
	quit     chan struct{} // closed when no new transfer may begin

	mu           sync.Mutex
	acknowledged [accounts][]receipt
	transfers    int
	retries      int
	changed      chan struct{} // closed and replaced at each transfer
}

// receipt is an acknowledged move.
type receipt struct {
	move  Move
	reply Balance
}

func newLedger(node *cluster.Node) *ledger {
	l := &ledger{quit: make(chan struct{}), changed: make(chan struct{})}
	for i := range l.accounts {
		l.accounts[i] = cluster.Service[Account](node, accountName(i), cluster.WaitForInstance())
	}
	return l
}

// open puts the first money into each account.
func (l *ledger) open(ctx context.Context) error {
	for i := range accounts {
		if err := l.move(ctx, i, Move{ID: "opening", Amount: opening}); err != nil {
			return err
		}
	}
	return nil
}

// trade lets all customers transfer money until quit is closed, and waits until the
// last transfer is complete.
func (l *ledger) trade(ctx context.Context) error {
	var trading sync.WaitGroup
	failures := make([]error, customers)
	for c := range customers {
		trading.Go(func() { failures[c] = l.customer(ctx, c) })
	}
	trading.Wait()
	return errors.Join(failures...)
}

func (l *ledger) customer(ctx context.Context, c int) error {
	for n := 0; ; n++ {
		select {
		case <-l.quit:
			return nil
		default:
		}
		from, to := rand.IntN(accounts), rand.IntN(accounts-1)
		if to >= from {
			to++
		}
		if err := l.transfer(ctx, from, to, fmt.Sprintf("transfer-%d-%d", c, n), 1+rand.IntN(300)); err != nil {
			return err
		}
	}
}

// transfer takes money out of one account and puts it into another. Both accounts
// know it by the same ID. Once the money is out, it is put in, however long it takes.
func (l *ledger) transfer(ctx context.Context, from, to int, id string, amount int) error {
	err := l.move(ctx, from, Move{ID: id, Amount: -amount})
	if errors.Is(err, errOverdrawn) {
		return nil // another one, then
	}
	if err == nil {
		err = l.move(ctx, to, Move{ID: id, Amount: amount})
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transfers++
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// move sends m until it is acknowledged or refused.
func (l *ledger) move(ctx context.Context, account int, m Move) error {
	reply, err := ask(ctx, l, account, m)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged[account] = append(l.acknowledged[account], receipt{m, reply})
	return nil
}

// ask asks an account until it answers. While the bank is away, or has not been found
// again, that fails with Unavailable. The same message every time: an account knows
// what it has handled.
func ask[Q actor.Request[Account, Balance]](ctx context.Context, l *ledger, account int, q Q) (Balance, error) {
	for {
		reply, err := askOnce(ctx, l.accounts[account], q)
		if !errors.Is(err, actor.Unavailable) && !errors.Is(err, actor.DeadlineExceeded) {
			return reply, err
		}
		l.mu.Lock()
		l.retries++
		l.mu.Unlock()
		if stage.Pause(ctx, 10*time.Millisecond) != nil {
			return reply, err
		}
	}
}

func askOnce[Q actor.Request[Account, Balance]](ctx context.Context, account actor.Ref[Account], q Q) (Balance, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return actor.Ask(ctx, account, q)
}

// count returns how many transfers are complete, and a channel that closes when
// there are more.
func (l *ledger) count() (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transfers, l.changed
}

// grows waits for the next transfer to be complete.
func (l *ledger) grows(ctx context.Context) error {
	_, changed := l.count()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
