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

// avoided are the instances that failed lately, of those that are there.
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

// good returns the instances that have not failed lately, or all if there are none.
func (a *avoided) good(all *pool) *pool {
	if !a.any() {
		return all
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	bad := func(i *instance) bool {
		x := a.byKey[i.key]
		return x != nil && now.Before(x.until)
	}
	for i := range all.instances {
		if !bad(&all.instances[i]) {
			continue
		}
		if good := all.without(bad); len(good.instances) > 0 {
			return good
		}
		break
	}
	return all
}

// failed notes that an instance has failed. there reports whether it is still there.
func (a *avoided) failed(key instanceKey, there func() bool) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !there() { // asked under the lock: keep comes after a change
		return
	}
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
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(key)
}

// keep forgets the instances that are no longer there.
func (a *avoided) keep(v *view) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.byKey) == 0 {
		return
	}
	there := make(map[instanceKey]bool)
	for _, p := range v.services {
		for i := range p.instances {
			there[p.instances[i].key] = true
		}
	}
	for key := range a.byKey {
		if !there[key] {
			a.drop(key)
		}
	}
}

// drop forgets an instance. It needs the lock.
func (a *avoided) drop(key instanceKey) {
	if a.byKey[key] != nil {
		delete(a.byKey, key)
		a.count.Add(-1)
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
