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
)

const (
	customers = 64
	opening   = 1_000 // what is in each account at first
)

// ledger is what the customers know: which moves were acknowledged, and how.
type ledger struct {
	node *cluster.Node
	quit chan struct{} // closed when no new transfer may begin

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
	return &ledger{node: node, quit: make(chan struct{}), changed: make(chan struct{})}
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

// move sends m until it is acknowledged or refused. The same message every time: the
// account knows whether it has handled it.
func (l *ledger) move(ctx context.Context, account int, m Move) error {
	for {
		reply, err := l.ask(ctx, account, m)
		switch {
		case err == nil:
			l.mu.Lock()
			defer l.mu.Unlock()
			l.acknowledged[account] = append(l.acknowledged[account], receipt{m, reply})
			return nil
		case errors.Is(err, errOverdrawn):
			return err
		}
		l.mu.Lock()
		l.retries++
		l.mu.Unlock()
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func (l *ledger) ask(ctx context.Context, account int, m Move) (Balance, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return actor.Ask(ctx, cluster.Service[Account](l.node, accountName(account)), m)
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

// pause waits; it returns the reason if ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
