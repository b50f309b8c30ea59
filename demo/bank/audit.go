package main

import (
	"context"
	"sync"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

// audit compares what the bank has with what the customers know.
func (l *ledger) audit(ctx context.Context, r *stage.Report) error {
	before, err := l.balances(ctx)
	if err != nil {
		return err
	}
	total, right, moves := 0, 0, 0
	for i, b := range before {
		expected := 0
		for _, a := range l.acknowledged[i] {
			expected += a.move.Amount
		}
		if b.Amount == expected && b.Moves == uint64(len(l.acknowledged[i])) {
			right++
		}
		total += b.Amount
		moves += len(l.acknowledged[i])
	}
	r.Claim(total == accounts*opening, "the accounts hold %s in all, as at the beginning", stage.Number(total))
	r.Claim(right == accounts, "%d of %d accounts have the balance and the number of moves that were acknowledged", right, accounts)

	same, err := l.askAgain(ctx)
	if err != nil {
		return err
	}
	r.Claim(same == moves, "%s of %s acknowledged moves get the same answer when they are sent again", stage.Number(same), stage.Number(moves))
	after, err := l.balances(ctx)
	if err != nil {
		return err
	}
	r.Claim(after == before, "which has changed nothing")
	return nil
}

func (l *ledger) balances(ctx context.Context) (all [accounts]Balance, err error) {
	for i := range all {
		if all[i], err = ask(ctx, l, i, Show{}); err != nil {
			break
		}
	}
	return all, err
}

// askAgain sends all acknowledged moves once more, and returns how many are answered
// as they were.
func (l *ledger) askAgain(ctx context.Context) (same int, err error) {
	var asking sync.WaitGroup
	var mu sync.Mutex
	for i := range accounts {
		asking.Go(func() {
			for _, a := range l.acknowledged[i] {
				reply, failure := ask(ctx, l, i, a.move)
				mu.Lock()
				if failure != nil {
					err = failure
				} else if reply == a.reply {
					same++
				}
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	return same, err
}
