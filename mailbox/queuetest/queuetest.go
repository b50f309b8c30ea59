package queuetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/mailbox"
)

// MaxQueued is the largest number of values that a test of Run keeps in a queue.
const MaxQueued = 2000

const (
	producers   = 8
	perProducer = MaxQueued / producers
)

// Run tests that the queues made by newQueue do what mailbox.Queue promises, each
// promise in a subtest of its own; with the race detector it also finds unsafe
// access. newQueue returns a new, empty, open queue at every call.
//
// The queue may have any capacity from one value on, and refuse pushes or let
// them wait when it is full. A queue that discards values must have room for
// MaxQueued, so that it discards none of the test's.
func Run(t *testing.T, newQueue func() mailbox.Queue[int]) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, mailbox.Queue[int])
	}{
		{"a new queue is empty", newQueueIsEmpty},
		{"values leave in the order of their pushes", keepsOrder},
		{"a queue can be drained and used again", canBeReused},
		{"many producers lose and double nothing and each keeps its order", manyProducers},
		{"Len counts", lenCounts},
		{"Push into a full queue heeds the context", fullPushHeedsContext},
		{"Push with room takes an ended context", pushWithRoom},
		{"Close returns what was left and refuses pushes", closeReturnsTheRest},
		{"Close wakes whoever waits for room", closeWakesPushers},
		{"a push that races with Close is either kept or refused", closeRacesPush},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newQueue()) })
	}
}

func newQueueIsEmpty(t *testing.T, q mailbox.Queue[int]) {
	if v, ok := q.Pop(); ok || v != 0 {
		t.Errorf("Pop = %d, %t, want 0, false", v, ok)
	}
	if n := q.Len(); n != 0 {
		t.Errorf("Len = %d, want 0", n)
	}
	if left := q.Close(); left != nil {
		t.Errorf("Close = %v, want nil", left)
	}
}

func keepsOrder(t *testing.T, q mailbox.Queue[int]) {
	// Fill to every depth in turn, so that buffers wrap and grow half used.
	pushed, popped := 0, 0
	for depth := 1; depth <= MaxQueued; depth *= 3 {
		for range depth {
			if !tryPush(t, q, pushed) {
				break
			}
			pushed++
		}
		for range (pushed - popped + 1) / 2 {
			wantPop(t, q, popped)
			popped++
		}
	}
	for popped < pushed {
		wantPop(t, q, popped)
		popped++
	}
	wantEmpty(t, q)
}

func canBeReused(t *testing.T, q mailbox.Queue[int]) {
	for round := range 3 {
		n := fill(t, q)
		for v := range n {
			wantPop(t, q, v)
		}
		wantEmpty(t, q)
		if got := q.Len(); got != 0 {
			t.Fatalf("round %d: Len of the drained queue = %d, want 0", round, got)
		}
	}
}

func manyProducers(t *testing.T, q mailbox.Queue[int]) {
	var running sync.WaitGroup
	for p := range producers {
		running.Go(func() {
			for i := range perProducer {
				if err := pushUntilTaken(q, p*perProducer+i); err != nil {
					t.Errorf("producer %d: %v", p, err)
					return
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		running.Wait()
		close(finished)
	}()

	var got []int
	for last := false; ; {
		v, ok := q.Pop()
		switch {
		case ok:
			got = append(got, v)
			continue
		case last:
			wantAll(t, got)
			return
		}
		select {
		case <-finished:
			last = true // what was pushed before is seen by the next Pop
		default:
			runtime.Gosched()
		}
	}
}

// wantAll checks that got holds the values of all producers once, each
// producer's in ascending order.
func wantAll(t *testing.T, got []int) {
	t.Helper()
	var next [producers]int
	for _, v := range got {
		p, i := v/perProducer, v%perProducer
		if i != next[p] {
			t.Fatalf("got value %d of producer %d, want its value %d", i, p, next[p])
		}
		next[p]++
	}
	for p, n := range next {
		if n != perProducer {
			t.Errorf("got %d values of producer %d, want %d", n, p, perProducer)
		}
	}
}

func lenCounts(t *testing.T, q mailbox.Queue[int]) {
	n := 0
	for n < MaxQueued && tryPush(t, q, n) {
		n++
		if got := q.Len(); got != n {
			t.Fatalf("Len after %d pushes = %d", n, got)
		}
	}
	for v := range n {
		wantPop(t, q, v)
		if got, left := q.Len(), n-v-1; got < left || got > n {
			t.Fatalf("Len with %d of %d values left = %d", left, n, got)
		}
	}
	if got := q.Len(); got != 0 {
		t.Errorf("Len of the drained queue = %d, want 0", got)
	}
}

func fullPushHeedsContext(t *testing.T, q mailbox.Queue[int]) {
	n := fill(t, q)
	if n == MaxQueued {
		t.Skip("the queue does not get full")
	}
	reason := errors.New("reason")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	err := q.Push(ctx, n)
	if err == nil {
		n++ // there was room after all
	} else if !errors.Is(err, reason) && !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("Push with an ended context = %v, want its cause or ErrFull", err)
	}
	for v := range n {
		wantPop(t, q, v)
	}
	wantEmpty(t, q)
}

func pushWithRoom(t *testing.T, q mailbox.Queue[int]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := q.Push(ctx, 1); err != nil {
		t.Fatalf("Push = %v", err)
	}
	wantPop(t, q, 1)
}

func closeReturnsTheRest(t *testing.T, q mailbox.Queue[int]) {
	n := fill(t, q)
	wantPop(t, q, 0)
	if n < MaxQueued {
		if !tryPush(t, q, n) {
			t.Fatal("a pop made no room")
		}
		n++
	}
	left := q.Close()
	for i, v := range left {
		if v != i+1 {
			t.Fatalf("value %d of Close = %d, want %d", i, v, i+1)
		}
	}
	if len(left) != n-1 {
		t.Errorf("Close returned %d values, want %d", len(left), n-1)
	}
	if err := q.TryPush(1); !errors.Is(err, mailbox.ErrClosed) {
		t.Errorf("TryPush after Close = %v, want ErrClosed", err)
	}
	if err := q.Push(context.Background(), 1); !errors.Is(err, mailbox.ErrClosed) {
		t.Errorf("Push after Close = %v, want ErrClosed", err)
	}
	wantEmpty(t, q)
	if got := q.Len(); got != 0 {
		t.Errorf("Len after Close = %d, want 0", got)
	}
	if again := q.Close(); again != nil {
		t.Errorf("second Close = %v, want nil", again)
	}
}

func closeWakesPushers(t *testing.T, q mailbox.Queue[int]) {
	n := fill(t, q)
	if n == MaxQueued {
		t.Skip("the queue does not get full")
	}
	results := make(chan error, producers)
	for range producers {
		go func() { results <- q.Push(context.Background(), n) }()
	}
	runtime.Gosched()
	left := q.Close()
	taken := 0
	for range producers {
		switch err := <-results; {
		case err == nil:
			taken++
		case !errors.Is(err, mailbox.ErrClosed) && !errors.Is(err, mailbox.ErrFull):
			t.Errorf("Push = %v, want ErrClosed or ErrFull", err)
		}
	}
	if len(left) != n+taken {
		t.Errorf("Close returned %d values, want %d", len(left), n+taken)
	}
}

func closeRacesPush(t *testing.T, q mailbox.Queue[int]) {
	taken := make([][]int, producers)
	var running sync.WaitGroup
	for p := range producers {
		running.Go(func() {
			for i := range perProducer {
				v := p*perProducer + i
				switch err := pushUntilTaken(q, v); {
				case err == nil:
					taken[p] = append(taken[p], v)
				case !errors.Is(err, mailbox.ErrClosed):
					t.Errorf("push of producer %d = %v, want ErrClosed", p, err)
					return
				}
			}
		})
	}
	var got []int
	for len(got) < MaxQueued/4 {
		if v, ok := q.Pop(); ok {
			got = append(got, v)
		} else {
			runtime.Gosched()
		}
	}
	got = append(got, q.Close()...)
	running.Wait()

	want := slices.Concat(taken...)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d values came out of %d that were taken", len(got), len(want))
	}
}

// fill pushes 0, 1, 2 and so on until the queue is full or holds MaxQueued values,
// and returns how many it holds.
func fill(t *testing.T, q mailbox.Queue[int]) int {
	t.Helper()
	n := 0
	for n < MaxQueued && tryPush(t, q, n) {
		n++
	}
	if n == 0 {
		t.Fatal("the queue has no room for a single value")
	}
	return n
}

// tryPush reports whether the queue took v.
func tryPush(t *testing.T, q mailbox.Queue[int], v int) bool {
	t.Helper()
	err := q.TryPush(v)
	if err != nil && !errors.Is(err, mailbox.ErrFull) {
		t.Fatalf("TryPush = %v, want nil or ErrFull", err)
	}
	return err == nil
}

// pushUntilTaken pushes v by Push and TryPush in turn until the queue has room.
func pushUntilTaken(q mailbox.Queue[int], v int) error {
	push := func() error { return q.Push(context.Background(), v) }
	if v%2 == 0 {
		push = func() error { return q.TryPush(v) }
	}
	for {
		err := push()
		if !errors.Is(err, mailbox.ErrFull) {
			if err != nil {
				err = fmt.Errorf("push of %d: %w", v, err)
			}
			return err
		}
		runtime.Gosched()
	}
}

func wantPop(t *testing.T, q mailbox.Queue[int], want int) {
	t.Helper()
	if v, ok := q.Pop(); !ok || v != want {
		t.Fatalf("Pop = %d, %t, want %d, true", v, ok, want)
	}
}

func wantEmpty(t *testing.T, q mailbox.Queue[int]) {
	t.Helper()
	if v, ok := q.Pop(); ok {
		t.Fatalf("Pop of the empty queue = %d, true", v)
	}
}
