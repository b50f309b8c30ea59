package mailbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/mailbox"
)

func TestRejectRefusesWhenFull(t *testing.T) {
	q := mailbox.NewBounded[int](2, mailbox.Reject, nil)
	for v := range 2 {
		if err := q.TryPush(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.TryPush(2); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("TryPush = %v, want ErrFull", err)
	}
	if err := q.Push(t.Context(), 2); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("Push = %v, want ErrFull", err)
	}
	if left := q.Close(); !slices.Equal(left, []int{0, 1}) {
		t.Errorf("Close = %v", left)
	}
}

func TestDropOldestReportsWhatItDrops(t *testing.T) {
	var dropped []int
	var q *mailbox.Bounded[int]
	q = mailbox.NewBounded(3, mailbox.DropOldest, func(v int) {
		dropped = append(dropped, v)
		_ = q.Len() // no lock is held
	})
	for v := range 5 {
		if err := q.TryPush(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Push(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1, 2}; !slices.Equal(dropped, want) {
		t.Errorf("dropped %v, want %v", dropped, want)
	}
	if left, want := q.Close(), []int{3, 4, 5}; !slices.Equal(left, want) {
		t.Errorf("kept %v, want %v", left, want)
	}
}

func TestBlockServesWaitingPushesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := mailbox.NewBounded[int](1, mailbox.Block, nil)
		const n = 10
		for v := range n {
			go func() {
				if err := q.Push(t.Context(), v); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait() // v waits behind those before it
		}
		if err := q.TryPush(n); !errors.Is(err, mailbox.ErrFull) {
			t.Errorf("TryPush = %v, want ErrFull", err)
		}
		for want := range n {
			if v, ok := q.Pop(); !ok || v != want {
				t.Fatalf("Pop = %d, %t, want %d", v, ok, want)
			}
		}
		if _, ok := q.Pop(); ok {
			t.Error("the queue is not empty")
		}
	})
}

func TestBlockWaitsNoLongerThanTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := mailbox.NewBounded[string](1, mailbox.Block, nil)
		if err := q.TryPush("first"); err != nil {
			t.Fatal(err)
		}
		reason := errors.New("reason")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, reason)
		defer cancel()
		start := time.Now()
		if err := q.Push(ctx, "impatient"); !errors.Is(err, reason) {
			t.Errorf("Push = %v, want the cause of the context", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		if left := q.Close(); !slices.Equal(left, []string{"first"}) {
			t.Errorf("Close = %v: the value of the push that gave up is there", left)
		}
	})
}

func TestBlockPassesOverAPushThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := mailbox.NewBounded[int](1, mailbox.Block, nil)
		if err := q.TryPush(0); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if err := q.Push(ctx, 1); !errors.Is(err, context.Canceled) {
				t.Errorf("Push = %v, want Canceled", err)
			}
		}()
		synctest.Wait()
		go func() {
			if err := q.Push(t.Context(), 2); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		for _, want := range []int{0, 2} {
			if v, ok := q.Pop(); !ok || v != want {
				t.Errorf("Pop = %d, %t, want %d", v, ok, want)
			}
		}
	})
}

func TestBlockTakesTheValueOrReturnsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			q := mailbox.NewBounded[int](1, mailbox.Block, nil)
			if err := q.TryPush(0); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() { result <- q.Push(ctx, 1) }()
			synctest.Wait()
			cancel() // races with the hand-over
			q.Pop()
			err := <-result
			if _, taken := q.Pop(); taken != (err == nil) {
				t.Fatalf("Push = %v, value taken: %t", err, taken)
			}
		}
	})
}

func TestCloseWakesWaitingPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := mailbox.NewBounded[int](1, mailbox.Block, nil)
		if err := q.TryPush(0); err != nil {
			t.Fatal(err)
		}
		const n = 5
		results := make(chan error, n)
		for range n {
			go func() { results <- q.Push(t.Context(), 1) }()
		}
		synctest.Wait()
		if left := q.Close(); !slices.Equal(left, []int{0}) {
			t.Errorf("Close = %v", left)
		}
		for range n {
			if err := <-results; !errors.Is(err, mailbox.ErrClosed) {
				t.Errorf("Push = %v, want ErrClosed", err)
			}
		}
	})
}

func TestOverflowNames(t *testing.T) {
	for o, want := range map[mailbox.Overflow]string{
		mailbox.Reject: "Reject", mailbox.Block: "Block", mailbox.DropOldest: "DropOldest", 7: "Overflow(7)",
	} {
		if got := o.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}
