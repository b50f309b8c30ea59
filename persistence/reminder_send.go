package persistence

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/actor"
)

const (
	// maxInFlight is how many reminders handlers may be at work on.
	maxInFlight = 128
	// clockCheck bounds one sleep, because a timer does not see the clock being set.
	clockCheck = time.Minute
	minRetry   = time.Second
	maxRetry   = time.Minute
)

// run sends what is due, and waits for the next.
func (r *Reminders) run() {
	for r.ctx.Err() == nil {
		next, err := r.sendDue()
		if err != nil {
			if r.ctx.Err() == nil {
				r.log.Warn("reminders cannot be read; trying again", "error", err)
			}
			next = time.Now().Add(minRetry)
		}
		r.sleepUntil(next)
	}
}

// sendDue begins to send all that is due, and returns when to look again; zero if
// nothing but a change can make that necessary.
func (r *Reminders) sendDue() (time.Time, error) {
	page, err := r.store.List(r.ctx, Query{Prefix: dueKeys, Limit: maxInFlight, KeysOnly: true})
	if err != nil {
		return time.Time{}, err
	}
	for _, record := range page {
		next, path, name, err := parseDueKey(record.Key)
		if err != nil {
			r.log.Error("passing over a damaged record", "error", err)
			continue
		}
		if time.Until(next) > 0 {
			return next, nil
		}
		if r.take(record.Key) {
			r.work.Go(func() {
				r.send(record.Key, reminder{path: path, name: name})
				r.drop(record.Key)
				r.wakeUp()
			})
		}
	}
	return time.Time{}, nil
}

func (r *Reminders) take(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inFlight[key] {
		return false
	}
	r.inFlight[key] = true
	return true
}

func (r *Reminders) drop(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inFlight, key)
}

// wakeUp lets the loop look for what is due.
func (r *Reminders) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// sleepUntil returns at that time, if it is not zero, or earlier when something has
// changed.
func (r *Reminders) sleepUntil(t time.Time) {
	for t.IsZero() || time.Until(t) > 0 {
		var alarm <-chan time.Time
		if !t.IsZero() {
			alarm = time.After(min(clockCheck, time.Until(t)))
		}
		select {
		case <-alarm:
		case <-r.wake:
			return
		case <-r.ctx.Done():
			return
		}
	}
}

// send sends the reminder with that key once and writes down what came of it.
func (r *Reminders) send(key string, m reminder) {
	err := r.trySend(key, m)
	if err == nil || r.ctx.Err() != nil {
		return
	}
	r.log.Warn("a reminder cannot be read or written; trying again", "reminder", m.String(), "error", err)
	pause := minRetry
	if errors.Is(err, actor.DataLoss) {
		pause = maxRetry
	}
	select {
	case <-time.After(pause):
	case <-r.ctx.Done():
	}
}

func (r *Reminders) trySend(key string, m reminder) error {
	m, revision, there, err := r.read(key, m)
	if err != nil {
		return err
	}
	if !there { // taken back or changed since it was listed; key should be gone, too
		_, err = r.store.Commit(r.ctx, Transaction{
			If:   []Condition{{Key: m.key(), Revision: revision}},
			Then: []Change{{Key: key, Delete: true}},
		})
		return unlessConflict(err)
	}
	failure := r.deliver(&m)
	for there && r.ctx.Err() == nil { // else the next process sends it again
		_, err = r.store.Commit(r.ctx, r.outcome(m, revision, failure))
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// It was changed meanwhile. If it repeats and still was due now, then it was
		// sent: or a handler that sets its own reminder would get it for ever.
		m, revision, there, err = r.read(key, m)
		if err != nil {
			return err
		}
		there = there && m.every > 0
	}
	return nil
}

// read returns the reminder with the path and name of m, its revision, and whether it
// is there with that key in the order of time.
func (r *Reminders) read(key string, m reminder) (reminder, Revision, bool, error) {
	record, err := r.store.Get(r.ctx, m.key())
	if errors.Is(err, ErrNotFound) {
		return m, 0, false, nil
	}
	if err == nil {
		m, err = parseReminder(&record)
	}
	return m, record.Revision, m.dueKey() == key, err
}

func unlessConflict(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// deliver returns nil if a handler has done what m reminds of.
func (r *Reminders) deliver(m *reminder) error {
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout)
	defer cancel()
	answered := make(chan error, 1)
	err := r.system.Deliver(ctx, actor.Delivery{
		Path:        m.path,
		Message:     m.message,
		ContentType: m.contentType,
		Payload:     m.payload,
		Reply:       func(_ any, err error) { answered <- err },
	})
	if err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outcome returns what to write down after m was sent.
func (r *Reminders) outcome(m reminder, revision Revision, failure error) Transaction {
	after := m
	switch now := time.Now(); {
	case failure != nil:
		pause := retryPause(m.failures)
		after.failures++
		after.next = now.Add(pause)
		r.log.Warn("a reminder was not handled; it will be sent again",
			"reminder", m.String(), "message", m.message, "after", pause, "error", failure)
	case m.every > 0:
		after.failures = 0
		after.due = m.dueAfter(now)
		after.next = after.due
	default:
		return m.removal(revision)
	}
	return after.replaces(&m, revision)
}

// dueAfter returns the next time of a repeated reminder that is still to come.
func (m *reminder) dueAfter(now time.Time) time.Time {
	missed := max(0, now.Sub(m.due)) / m.every
	return m.due.Add((missed + 1) * m.every)
}

func retryPause(failures int) time.Duration {
	if failures > 6 {
		return maxRetry
	}
	return min(maxRetry, minRetry<<failures)
}
