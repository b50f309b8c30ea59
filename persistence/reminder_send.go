package persistence

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/actor"
)

const (
	// clockCheck bounds one sleep, because a timer does not see the clock being set.
	clockCheck = time.Minute
	minRetry   = time.Second
	maxRetry   = time.Minute
	// duePage is how many keys are read at a time.
	duePage = 128
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
	for {
		after, ok := r.flights.scan()
		if !ok {
			return time.Time{}, nil
		}
		page, err := r.store.List(r.ctx, Query{Prefix: dueKeys, After: after, Limit: duePage, KeysOnly: true})
		if err != nil {
			return time.Time{}, err
		}
		for _, record := range page {
			next, path, name, err := parseDueKey(record.Key)
			switch {
			case err != nil:
				r.logOnce(record.Key, err)
			case time.Until(next) > 0:
				return next, nil
			default:
				r.start(r.flights.take(record.Key, reminder{path: path, name: name}))
			}
			r.flights.passed(record.Key)
		}
		if len(page) < duePage {
			return time.Time{}, nil
		}
	}
}

// wakeUp makes the loop look for what is due.
func (r *Reminders) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// written makes the loop look at a reminder that has been written.
func (r *Reminders) written(m *reminder) {
	r.flights.look(m.dueKey())
	r.wakeUp()
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

// start sends the reminder of f, which may be nil, when a worker is free.
func (r *Reminders) start(f *flight) {
	if f != nil {
		r.workers.submit(func() { r.send(f) })
	}
}

// end is called when nothing is left to do for f now.
func (r *Reminders) end(f *flight) {
	next, look := r.flights.drop(f)
	r.start(next)
	if look {
		r.wakeUp()
	}
}

// send reads the reminder of f and delivers it. Nobody waits for the answer: what handlers
// are at work on is remembered, but holds no worker.
func (r *Reminders) send(f *flight) {
	m, revision, there, err := r.read(f.key, f.reminder)
	switch {
	case err != nil:
		r.retry(f, err)
	case !there:
		if err := r.tidy(f.key, &m, revision); err != nil {
			r.retry(f, err)
			return
		}
		r.end(f)
	default:
		// Decoding is the user's code: whatever it does takes no worker.
		r.workers.run(func() { r.deliver(f, m, revision) })
	}
}

// tidy removes key from the order of time: m, if it is there at all, is due at another
// time, or has been taken back or changed since it was listed.
func (r *Reminders) tidy(key string, m *reminder, revision Revision) error {
	t := Transaction{
		If:   []Condition{{Key: m.key(), Revision: revision}},
		Then: []Change{{Key: key, Delete: true}},
	}
	if revision != 0 {
		t.Then = append(t.Then, Change{Key: m.dueKey()})
		defer r.written(m)
	}
	if _, err := r.store.Commit(r.ctx, t); !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}

// deliver puts m into the mailbox of its actor.
func (r *Reminders) deliver(f *flight, m reminder, revision Revision) {
	payload := m.payload
	m.payload = nil // is read again where it is needed: many may be in flight
	f.reminder, f.revision = m, revision
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout)
	var once answer
	settle := func(err error) {
		if once.first() {
			cancel()
			r.workers.submit(func() { r.settle(f, err) })
		}
	}
	context.AfterFunc(ctx, func() { settle(ctx.Err()) })
	err := r.system.Deliver(ctx, actor.Delivery{
		Path:        m.path,
		Message:     m.message,
		ContentType: m.contentType,
		Payload:     payload,
		Reply: func(_ any, err error) {
			if err == nil {
				err = ctx.Err() // it was too late
			}
			settle(err)
		},
	})
	if err != nil {
		settle(err)
	}
}

// retry begins anew with f after a pause. It does not count as sent to its actor
// meanwhile.
func (r *Reminders) retry(f *flight, err error) {
	pause := minRetry
	switch {
	case errors.Is(err, actor.DataLoss):
		pause = maxRetry
		r.logOnce(f.reminder.key(), err)
	case r.ctx.Err() == nil:
		r.log.Warn("a reminder cannot be read or written; trying again", "reminder", f.reminder.String(), "error", err)
	}
	r.start(r.flights.rest(f))
	ctx, cancel := context.WithTimeout(r.ctx, pause)
	context.AfterFunc(ctx, func() {
		cancel()
		r.start(r.flights.resume(f))
	})
}

// settle writes down what came of f.
func (r *Reminders) settle(f *flight, failure error) {
	if err := r.trySettle(f, failure); err != nil {
		r.retry(f, err)
		return
	}
	r.end(f)
}

func (r *Reminders) trySettle(f *flight, failure error) error {
	done := failure == nil && f.reminder.every == 0
	for r.ctx.Err() == nil { // else the next process sends it again
		m, revision := f.reminder, f.revision
		if !done {
			var there bool
			var err error
			if m, revision, there, err = r.read(f.key, m); err != nil {
				return err
			}
			// If it was changed meanwhile, repeats and still was due now, then it was
			// sent: or a handler that sets its own reminder would get it for ever.
			if !there || revision != f.revision && m.every == 0 {
				return nil
			}
		}
		after, t := r.outcome(m, revision, failure)
		_, err := r.store.Commit(r.ctx, t)
		if errors.Is(err, ErrConflict) {
			done = false
			continue
		}
		if after != nil {
			r.written(after) // also where the outcome is not known
		}
		return err
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

// outcome returns what to write down after m was sent, and what m becomes by that; nil if
// it is done.
func (r *Reminders) outcome(m reminder, revision Revision, failure error) (*reminder, Transaction) {
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
		if after.due.After(latestDue()) {
			r.log.Warn("a reminder ends: its next time cannot be kept", "reminder", m.String(), "next", after.due)
			return nil, m.removal(revision)
		}
	default:
		return nil, m.removal(revision)
	}
	return &after, after.replaces(&m, revision)
}

func retryPause(failures int) time.Duration {
	if failures > 6 {
		return maxRetry
	}
	return min(maxRetry, minRetry<<failures)
}
