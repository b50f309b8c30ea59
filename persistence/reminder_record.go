package persistence

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// A reminder has two records: itself, by the path of its actor and its name, and
// one without a value in the order of time. No identity of an actor is empty, so
// that no other key begins with "#".
const (
	reminderKeys = "#reminder/"
	dueKeys      = "#due/"
)

// reminder is what is kept of one.
type reminder struct {
	path, name  string
	due         time.Time
	next        time.Time // when it is to be sent; after due once that has failed
	every       time.Duration
	failures    int
	message     string // name of its type
	contentType string
	payload     []byte
}

func (m *reminder) key() string { return reminderKeys + m.path + "#" + m.name }

func (m *reminder) dueKey() string {
	var nanos int64 // since 1970: what was due before is due at once
	switch {
	case m.next.After(latestDue()):
		nanos = math.MaxInt64
	case m.next.After(time.Unix(0, 0)):
		nanos = m.next.UnixNano()
	}
	return dueKeys + number(uint64(nanos)) + "/" + m.path + "#" + m.name
}

// latestDue is the latest time that a key in the order of time can say.
func latestDue() time.Time { return time.Unix(0, math.MaxInt64).UTC() }

// dueAfter returns the next time of a repeated reminder that is still to come.
func (m *reminder) dueAfter(now time.Time) time.Time {
	due := m.due
	for !due.After(now) { // more than once where more than a Duration can say was missed
		due = due.Add(now.Sub(due) / m.every * m.every)
		if !due.After(now) {
			due = due.Add(m.every)
		}
	}
	return due
}

// parseDueKey is the inverse of dueKey.
func parseDueKey(key string) (next time.Time, path, name string, err error) {
	at, who, _ := strings.Cut(strings.TrimPrefix(key, dueKeys), "/")
	nanos, err := parseNumber(at)
	path, name, found := strings.Cut(who, "#")
	if err != nil || !found || nanos > math.MaxInt64 {
		return next, "", "", actor.Errorf(actor.DataLoss, "the key %q is not that of a reminder", key)
	}
	return time.Unix(0, int64(nanos)), path, name, nil
}

// The metadata of a reminder.
const (
	dueMeta      = "due"
	nextMeta     = "next"
	everyMeta    = "every"
	failuresMeta = "failures"
	messageMeta  = "message"
)

func (m *reminder) record() Change {
	return Change{
		Key:   m.key(),
		Value: m.payload,
		Metadata: map[string]string{
			dueMeta:        m.due.UTC().Format(time.RFC3339Nano),
			nextMeta:       m.next.UTC().Format(time.RFC3339Nano),
			everyMeta:      m.every.String(),
			failuresMeta:   strconv.Itoa(m.failures),
			messageMeta:    m.message,
			contentTypeKey: m.contentType,
		},
	}
}

// parseReminder is the inverse of record.
func parseReminder(r *Record) (m reminder, err error) {
	if err := checkFormat(r); err != nil {
		return m, err
	}
	m = reminder{message: r.Metadata[messageMeta], contentType: r.Metadata[contentTypeKey], payload: r.Value}
	m.path, m.name, _ = strings.Cut(strings.TrimPrefix(r.Key, reminderKeys), "#")
	var errs [4]error
	m.due, errs[0] = time.Parse(time.RFC3339Nano, r.Metadata[dueMeta])
	m.next, errs[1] = time.Parse(time.RFC3339Nano, r.Metadata[nextMeta])
	m.every, errs[2] = time.ParseDuration(r.Metadata[everyMeta])
	m.failures, errs[3] = strconv.Atoi(r.Metadata[failuresMeta])
	for _, err := range errs {
		if err != nil {
			return m, actor.Errorf(actor.DataLoss, "the record %q is not a reminder: %w", r.Key, err)
		}
	}
	return m, nil
}

// begin sets when m, which takes the place of before, is due; see [Schedule].
func (m *reminder) begin(before *reminder, now time.Time) {
	switch {
	case !m.due.IsZero():
		m.next = m.due
	case before != nil && before.every == m.every:
		m.due, m.next, m.failures = before.due, before.next, before.failures
	default:
		m.due = now.Add(m.every)
		m.next = m.due
	}
}

// replaces returns what writes m in place of what is there: before, which has that
// revision, or nothing.
func (m *reminder) replaces(before *reminder, revision Revision) Transaction {
	t := Transaction{
		If:   []Condition{{Key: m.key(), Revision: revision}},
		Then: []Change{m.record(), {Key: m.dueKey()}},
	}
	if before != nil && before.dueKey() != m.dueKey() {
		t.Then = append(t.Then, Change{Key: before.dueKey(), Delete: true})
	}
	return t
}

func (m *reminder) removal(revision Revision) Transaction {
	return Transaction{
		If:   []Condition{{Key: m.key(), Revision: revision}},
		Then: []Change{{Key: m.key(), Delete: true}, {Key: m.dueKey(), Delete: true}},
	}
}

// String returns how a reminder is called in the log.
func (m *reminder) String() string { return fmt.Sprintf("%q of %s", m.name, m.path) }

// booking is the recipient of the request in Remind: it writes it down.
type booking struct {
	reminders *Reminders
	reminder  reminder
}

// Ask implements actor.Recipient.
func (b *booking) Ask(e actor.Envelope) (err error) {
	m := b.reminder
	m.message = b.reminders.system.MessageName(e)
	if m.payload, m.contentType, err = b.reminders.system.Encode(nil, e.Message()); err != nil {
		return err
	}
	return b.reminders.change(e.Context(), m, false)
}

// Tell implements actor.Recipient.
func (b *booking) Tell(actor.Envelope) error {
	return actor.Errorf(actor.Unimplemented, "%s takes requests", b)
}

// Watch implements actor.Recipient.
func (b *booking) Watch(func(error)) (func(), error) {
	return nil, actor.Errorf(actor.Unimplemented, "%s cannot be watched", b)
}

// String implements actor.Recipient.
func (b *booking) String() string { return "the reminder " + b.reminder.String() }
