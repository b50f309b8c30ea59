package lock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// churn acquires and releases so often that generations would go by.
func churn(t *testing.T, n *fakeNode, name string, options ...Option) (last *Lock) {
	t.Helper()
	for range 3 * generationSize {
		last = mustAcquire(t, n, name, options...)
		must(t, last.Release(t.Context()))
	}
	return last
}

func TestAListDoesNotStepOverAllWhoEverHeld(t *testing.T) {
	w := newWorld(t)
	l := churn(t, w.node("a"), "x")
	if before := l.place.revision - l.generation.previous; before > 3*generationSize {
		t.Errorf("a list has to step over what is deleted of %d revisions", before)
	}
	if keys := w.keys("lock/"); len(keys) != 1 {
		t.Error("in the store:", keys)
	}
}

func TestWhoHoldsForLongIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		reader := mustAcquire(t, a, "x", Shared())
		l := churn(t, b, "x", Shared())
		for _, idle := range []time.Duration{0, 2 * generationLife} {
			<-time.After(idle)
			if _, err := acquire(t.Context(), b, "x", nil, true); !errors.Is(err, ErrHeld) {
				t.Errorf("after %v: %v, want ErrHeld", idle, err)
			}
		}
		churn(t, b, "x", Shared())
		writer := b.begin("x")
		synctest.Wait()
		if writer.over() {
			t.Fatal("the writer did not wait:", writer.err)
		}
		must(t, reader.Release(t.Context()))
		if w := writer.acquired(t); w.Token() <= l.Token() {
			t.Errorf("token %d after %d", w.Token(), l.Token())
		}
	})
}

func TestWhoComesLateEntersTheNewGeneration(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("a"), w.node("b")
	churn(t, a, "other")
	holder := mustAcquire(t, a, "x")
	if !holder.last {
		t.Fatal("it is not time for a new generation")
	}
	w.onCommit(func(ctx context.Context, tx persistence.Transaction, next commit) (persistence.Revision, error) {
		if enqueues(tx) {
			w.onCommit(nil)
			must(t, holder.Release(t.Context()))
		}
		return next(ctx, tx)
	})
	l := mustAcquire(t, b, "x")
	if l.generation.current <= holder.generation.current || l.place.generation != l.generation.current {
		t.Errorf("generation %+v after %+v", l.generation, holder.generation)
	}
}

// Two share the last generation, and both would begin the next.
func TestOnlyOneBeginsTheNextGeneration(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	churn(t, a, "other")
	first, second := mustAcquire(t, a, "x", Shared()), mustAcquire(t, a, "x", Shared())
	must(t, second.Release(t.Context()))
	must(t, first.Release(t.Context()))
	if l := mustAcquire(t, a, "x"); l.generation.previous != first.generation.current {
		t.Errorf("%+v after %+v", l.generation, first.generation)
	}
	if keys := w.keys("lock/queue/x/"); len(keys) != 1 {
		t.Error("in the queue:", keys)
	}
}

func TestAStrangeGenerationIsNotPassedOver(t *testing.T) {
	w := newWorld(t)
	_, err := persistence.Put(t.Context(), w.store, "lock/generation/queue/x/", []byte("?"))
	must(t, err)
	if _, err := acquire(t.Context(), w.node("a"), "x", nil, false); !errors.Is(err, actor.DataLoss) {
		t.Error(err)
	}
}
