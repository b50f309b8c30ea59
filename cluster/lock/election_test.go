package lock

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// candidate campaigns in a goroutine.
func (n *fakeNode) candidate(election, value string) <-chan *Leadership {
	won := make(chan *Leadership, 1)
	ctx, cancel := context.WithCancel(context.Background())
	n.world.t.Cleanup(cancel)
	go func() {
		if l, err := campaign(ctx, n, election, value); err == nil {
			won <- l
		}
	}()
	return won
}

func TestCandidatesLeadOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		first, err := campaign(t.Context(), a, "e", "")
		must(t, err)
		second := b.candidate("e", "")
		synctest.Wait()
		if len(second) > 0 || first.Err() != nil || first.Election() != "e" {
			t.Error("two leaders, or none:", first.Err())
		}
		must(t, first.Resign(t.Context()))
		must(t, first.Resign(t.Context()))
		l := <-second
		if !lost(first) || !errors.Is(first.Err(), ErrReleased) || l.Term() <= first.Term() {
			t.Errorf("after %d came %d: %v", first.Term(), l.Term(), first.Err())
		}
		b.end()
		if <-l.Lost(); !errors.Is(l.Err(), ErrLost) {
			t.Error(l.Err())
		}
	})
}

// watching collects what Observe yields.
type watching struct {
	seen []string
	err  error
}

func (n *fakeNode) observe(ctx context.Context, election string) *watching {
	o := new(watching)
	go func() {
		for l, err := range observe(ctx, n, election) {
			if err != nil {
				o.err = err
				return
			}
			o.seen = append(o.seen, l.Node+l.Value)
			if (l.Term == 0) != (l == Leader{}) {
				o.seen = append(o.seen, fmt.Sprintf("%+v", l))
			}
		}
	}()
	return o
}

func (o *watching) want(t *testing.T, seen ...string) {
	t.Helper()
	synctest.Wait()
	if fmt.Sprint(o.seen) != fmt.Sprint(seen) {
		t.Errorf("seen %q, want %q; %v", o.seen, seen, o.err)
	}
}

func TestObserveYieldsEveryLeaderInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.node("a"), w.node("b"), w.node("c")
		ctx, cancel := context.WithCancel(t.Context())
		early := c.observe(ctx, "e")
		early.want(t, "")
		l, err := campaign(t.Context(), a, "e", "1")
		must(t, err)
		early.want(t, "", "a1")
		a.candidate("e", "2")
		synctest.Wait()
		b.candidate("e", "3")
		synctest.Wait()
		late := c.observe(ctx, "e")
		late.want(t, "a1")
		must(t, l.Resign(t.Context()))
		late.want(t, "a1", "a2")
		a.candidate("e", "4")
		synctest.Wait()
		a.end() // its leader goes, and its candidate queues anew
		late.want(t, "a1", "a2", "b3")
		<-b.candidate("another", "")
		b.end()
		late.want(t, "a1", "a2", "b3", "a4")
		a.end()
		late.want(t, "a1", "a2", "b3", "a4", "")
		early.want(t, "", "a1", "a2", "b3", "a4", "")
		cancel()
		synctest.Wait()
		if !errors.Is(late.err, actor.Canceled) {
			t.Error("it ended with", late.err)
		}
	})
}

func TestObserveCanBeLeft(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	for range observe(t.Context(), a, "e") {
		break
	}
	terms := []uint64{}
	for l, err := range observe(t.Context(), a, "e") {
		must(t, err)
		terms = append(terms, l.Term)
		if len(terms) == 1 {
			_, err := campaign(t.Context(), a, "e", "")
			must(t, err)
			continue
		}
		break
	}
	if terms[0] != 0 || terms[1] == 0 {
		t.Errorf("terms %v", terms)
	}
}

func TestObserveSaysWhyItEnds(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	ends := func(election string) (err error) {
		for _, err = range observe(t.Context(), a, election) {
		}
		return err
	}
	if err := ends(""); !errors.Is(err, actor.InvalidArgument) {
		t.Error("no name:", err)
	}
	w.onWatch(func() error { return persistence.ErrHistoryGone })
	if err := ends("e"); !errors.Is(err, persistence.ErrHistoryGone) {
		t.Error("no history:", err)
	}
	a.end()
	a.goAway(actor.Unavailable)
	if err := ends("e"); !errors.Is(err, actor.Unavailable) {
		t.Error("no store:", err)
	}
	a.goAway(nil)
	w.onWatch(nil)
	_, err := persistence.Put(t.Context(), w.store, "lock/election/e/what", nil)
	must(t, err)
	if err := ends("e"); !errors.Is(err, actor.DataLoss) {
		t.Error("a strange record:", err)
	}
}

// Between the revision to watch from and the list, leaders came and went.
func TestObserveTellsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		w.onCommit(func(ctx context.Context, tx persistence.Transaction, next commit) (persistence.Revision, error) {
			r, err := next(ctx, tx)
			if len(tx.Then) == 0 {
				w.onCommit(nil)
				for _, value := range []string{"1", "2"} {
					l, err := campaign(t.Context(), a, "e", value)
					must(t, err)
					if value == "1" {
						must(t, l.Resign(t.Context()))
					}
				}
			}
			return r, err
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a.observe(ctx, "e").want(t, "a2")
	})
}
