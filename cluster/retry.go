package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// retryable reports whether another instance may be asked: the message surely was
// not handled, or may be handled twice.
func retryable(e *actor.Error, message any) bool {
	switch e.Code {
	case actor.Unavailable:
		return e.NotRun || actor.IsIdempotent(message)
	case actor.NotFound, actor.ResourceExhausted:
		return e.NotRun
	}
	return false
}

// isInstanceFailure reports whether an error is the instance's and not the message's.
func isInstanceFailure(e *actor.Error) bool {
	switch e.Code {
	case actor.Unavailable:
		return true
	case actor.NotFound, actor.ResourceExhausted:
		return e.NotRun
	}
	return false
}

// budget bounds retries to a share of the successes, so that a service in trouble
// is not beaten down by them (after Finagle's RetryBudget).
type budget struct{ tokens atomic.Int64 }

const (
	maxTokens     = 500 * retryPrice
	retryPrice    = 5 // one retry for five successes
	initialTokens = maxTokens
)

func newBudget() *budget {
	b := new(budget)
	b.tokens.Store(initialTokens)
	return b
}

func (b *budget) earn() {
	if b.tokens.Load() < maxTokens {
		b.tokens.Add(1)
	}
}

func (b *budget) spend() bool {
	if b.tokens.Add(-retryPrice) >= 0 {
		return true
	}
	b.tokens.Add(retryPrice)
	return false
}

// avoided are the instances that failed lately.
type avoided struct {
	count atomic.Int64
	mu    sync.Mutex
	byKey map[instanceKey]*avoidance
}

type avoidance struct {
	until    time.Time
	failures int
}

// How long an instance is left alone after its first failure, and at most.
const (
	minAvoidance = 100 * time.Millisecond
	maxAvoidance = 10 * time.Second
	// maxAvoided bounds the memory; beyond it instances are just tried.
	maxAvoided = 10_000
)

func (a *avoided) any() bool { return a.count.Load() > 0 }

func (a *avoided) is(key instanceKey, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.byKey[key]
	return x != nil && now.Before(x.until)
}

func (a *avoided) failed(key instanceKey) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.byKey[key]
	if x == nil {
		if len(a.byKey) >= maxAvoided {
			return
		}
		if a.byKey == nil {
			a.byKey = make(map[instanceKey]*avoidance)
		}
		x = new(avoidance)
		a.byKey[key] = x
		a.count.Add(1)
	}
	if now.Before(x.until) {
		return // one of several that were under way at the same time
	}
	x.until = now.Add(min(maxAvoidance, minAvoidance<<min(x.failures, 10)))
	x.failures++
}

func (a *avoided) succeeded(key instanceKey) {
	if !a.any() {
		return
	}
	a.forget(func(k instanceKey) bool { return k == key })
}

// forget drops what is known of the instances that gone names.
func (a *avoided) forget(gone func(instanceKey) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range a.byKey {
		if gone(k) {
			delete(a.byKey, k)
			a.count.Add(-1)
		}
	}
}

// sleep waits; false if ctx ends first, or would before the wait is over.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
