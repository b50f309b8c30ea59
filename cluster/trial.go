package cluster

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/troupe-go/troupe/actor"
)

// trial is one message of a service on its way: who has had it, and what they said.
// It goes at once to each other instance, then, for those who wait, to all over again
// after a pause.
type trial struct {
	service service
	ctx     context.Context
	message any
	policy  policy
	wait    bool

	attempts int           // that count
	tried    []instanceKey // in this round
	refused  []instanceKey // for good
	last     error         // of one of tried
	refusal  error         // of one of refused
	maybe    bool          // an attempt may have been handled
	pauses   *backoff.ExponentialBackOff
	waiting  *Wait // of the pauses; nil before the first
}

const (
	maxAttempts = 10
	minPause    = 10 * time.Millisecond
	maxPause    = time.Second

	// maxHungPause is the longest pause while processes hang.
	maxHungPause = 100 * time.Millisecond
)

// patient reports whether it goes on for as long as its context does.
func (t *trial) patient() bool { return t.wait && t.policy.patient }

func (t *trial) mayGoOn() bool { return t.patient() || t.attempts < maxAttempts }

// next chooses the instance to try now.
func (t *trial) next() (*instance, error) {
	target, err := t.choose()
	if err != nil && len(t.tried) > 0 {
		if !t.wait || !t.pause() {
			return nil, t.last
		}
		t.tried = t.tried[:0]
		target, err = t.choose()
	}
	if err != nil {
		return nil, cmp.Or(t.refusal, t.last, err)
	}
	return target, nil
}

func (t *trial) choose() (*instance, error) {
	if t.patient() {
		if err := t.service.await(t.ctx); err != nil {
			return nil, err
		}
	}
	return t.service.pick(t.policy.balancer, t.message, slices.Concat(t.refused, t.tried))
}

// pause waits before the next round; false if there is no time for it.
func (t *trial) pause() bool {
	if t.pauses == nil {
		t.pauses = &backoff.ExponentialBackOff{
			InitialInterval: minPause, MaxInterval: maxPause, Multiplier: 2, RandomizationFactor: 0.5,
		}
		t.waiting = t.service.node.Waiting(slog.LevelWarn, fmt.Sprintf("calls of the service %q are tried again and again", t.service.name))
	}
	t.waiting.Because(t.last)
	pause := t.pauses.NextBackOff()
	if actor.AsError(t.last).Reason == hangs {
		pause = min(pause, maxHungPause)
	}
	return sleep(t.ctx, pause)
}

func (t *trial) succeeded(target *instance) {
	t.service.node.avoided.succeeded(target.key)
	if all := t.service.pool(); all != nil {
		all.budget.earn()
	}
}

// another notes that target failed with err, and reports whether another instance may
// be tried.
func (t *trial) another(target *instance, err error) bool {
	s, failure := t.service, actor.AsError(err)
	if isRefusal(failure) { // it costs an instance next to nothing, and the budget nothing
		t.refusal, t.refused = err, append(t.refused, target.key)
		news := failure.Code == actor.Unimplemented && s.node.unhandled.add(t.message, target.key)
		if !news { // else it is not counted: every instance is asked once
			t.attempts++
		}
		return true
	}
	t.last = err
	if isInstanceFailure(failure) {
		s.node.avoided.failed(target.key, func() bool { return s.pool().has(target.key) })
	}
	if !retryable(failure, t.message) {
		return false
	}
	t.maybe = t.maybe || !failure.NotRun
	t.tried = append(t.tried, target.key)
	if failure.Reason == hangs { // it may go on at any time, and would have been waited for
		return true
	}
	t.attempts++
	all := s.pool()
	return all == nil || t.patient() || all.budget.spend()
}

// failed returns the error for the sender: it says that the message did not run only
// if no attempt may have been handled.
func (t *trial) failed(err error) error {
	if e := actor.AsError(err); t.maybe && e.NotRun {
		unsure := *e
		unsure.NotRun = false
		return &unsure
	}
	return err
}
