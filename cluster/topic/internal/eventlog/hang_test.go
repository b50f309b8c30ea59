package eventlog

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// hanging is a store that does not return from Commit, nor with its context, until it is
// released.
type hanging struct {
	persistence.Store
	hangs   bool
	release chan struct{}
}

func (h *hanging) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	if h.hangs {
		<-h.release
	}
	return h.Store.Commit(ctx, t)
}

// Close ends with its context, also when the store does not.
func TestCloseEndsWithItsContextWhenTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{Store: newStore(t), release: make(chan struct{})}
		p, err := Open(t.Context(), Config{Store: store, Name: "orders/0"})
		must(t, err)
		store.hangs = true
		appended := make(chan error, 1)
		go func() {
			_, err := p.Events.Append(t.Context(), numbered(0, 1))
			appended <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := p.Close(ctx); !errors.Is(err, actor.DeadlineExceeded) {
			t.Errorf("Close: %v, want DeadlineExceeded", err)
		}
		if took := time.Since(began); took > 1200*time.Millisecond {
			t.Errorf("Close took %v, of 1 s", took)
		}
		close(store.release)
		<-appended
		must(t, p.Close(t.Context()))
	})
}

// canceling is a store whose calls end as if somebody had cancelled them.
type canceling struct {
	persistence.Store
	failing atomic.Bool
	err     error
}

func (c *canceling) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	if c.failing.Load() {
		return 0, c.err
	}
	return c.Store.Commit(ctx, t)
}

// Only who has cancelled gets Canceled, and only whose time is over DeadlineExceeded: not who
// waits for a store that has.
func TestWhatTheStoreCancelsIsUnavailable(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded, actor.NewError(actor.Canceled, "gone")} {
		synctest.Test(t, func(t *testing.T) {
			store := &canceling{Store: newStore(t), err: cause}
			p := openPartition(t, Config{Store: store})
			store.failing.Store(true)
			_, err := p.Events.Append(t.Context(), numbered(0, 1))
			if actor.CodeOf(err) != actor.Unavailable || actor.AsError(err).NotRun {
				t.Errorf("Append: %v, want Unavailable, and that it may have been done", err)
			}
			if err := p.Events.Seek(t.Context(), "billing", End()); actor.CodeOf(err) == actor.Canceled {
				t.Errorf("Seek: %v", err)
			}
			store.failing.Store(false)
		})
	}
}

// What a partition that has ended refuses was surely not done, and says so.
func TestWhatAClosedPartitionRefusesWasNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPartition(t, Config{Store: newStore(t)})
		must(t, p.Close(t.Context()))
		_, appended := p.Events.Append(t.Context(), numbered(0, 1))
		_, joined := p.Events.Join(t.Context(), ConsumerConfig{Group: "g", Deliver: func(*Consumer, []Delivery) {}})
		for what, err := range map[string]error{
			"Append": appended, "Join": joined,
			"Purge": p.Events.Purge(t.Context(), End()), "Seek": p.Events.Seek(t.Context(), "g", End()),
			"DeleteGroup": p.Events.DeleteGroup(t.Context(), "g"),
		} {
			if !errors.Is(err, ErrClosed) || !actor.AsError(err).NotRun {
				t.Errorf("%s: %v, want ErrClosed, and that nothing was done", what, err)
			}
		}
	})
}
