package persistence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Reminders are timers that outlive the process: they send requests to actors of
// one system, at least once each, late rather than never. What fell due while
// nothing ran is sent after the restart, to whichever actor then has the same path.
//
// A reminder is done when its handler has answered without an error. Until then it
// is sent again, after a pause that grows from a second to a minute: when the
// process ends, when there is no such actor yet, when the handler fails. So a
// handler may see one twice; see [PersistOnce].
//
// An actor is sent up to 8 at a time, those that are due first. One that hangs delays its
// own reminders alone.
//
// All methods may be called concurrently. Time is that of the wall clock, also when
// that is set. Two Reminders must not share the records of one store: give each a
// Namespace.
type Reminders struct {
	store   Store
	system  *actor.System
	log     *slog.Logger
	timeout time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // has room for one

	workers *workers
	flights *flights
	damaged sync.Map // keys of records of which it has been logged
}

// ReminderConfig says how [NewReminders] works. The zero value is good. Package settings
// can fill it; a change needs a restart.
type ReminderConfig struct {
	// Logger gets to know when a reminder has to be sent again. The default discards
	// it.
	Logger *slog.Logger `koanf:"-"`
	// Timeout is how long a handler may take for a reminder before it gets it again.
	// Its context ends then. The default is 1 minute.
	Timeout time.Duration `default:"1m" doc:"How long a handler may take for a reminder before it gets it again." validate:"min=0s" reload:"restart"`
}

// NewReminders begins to send what is due to the actors of system; spawn those
// first. Whoever calls it must call Close, before the system stops and the store
// is closed.
func NewReminders(store Store, system *actor.System, config ReminderConfig) (*Reminders, error) {
	if store == nil || system == nil || config.Timeout < 0 {
		return nil, actor.Errorf(actor.InvalidArgument, "NewReminders needs a store, a system, and a Timeout that is not negative")
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Timeout == 0 {
		config.Timeout = time.Minute
	}
	r := &Reminders{
		store:   store,
		system:  system,
		log:     config.Logger,
		timeout: config.Timeout,
		wake:    make(chan struct{}, 1),
	}
	r.workers = &workers{eased: r.wakeUp}
	r.flights = newFlights(r.workers)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.workers.run(r.run)
	return r, nil
}

// Close ends the sending and waits for its goroutines. Reminders that handlers are
// at work on will be sent again by the next process. It is idempotent.
func (r *Reminders) Close() error {
	r.cancel()
	r.workers.close()
	return nil
}

// Schedule says when a reminder is due. It is once, unless Every is set.
type Schedule struct {
	// First is the first time, up to 2262-04-11. It may have passed: then it is due at
	// once. Zero is Every from now; but a reminder that is there already with the same Every goes
	// on as it was, so that a program can set it whenever it starts.
	First time.Time
	// Every is the time from one to the next, at least a second; 0 for once. Of
	// those that were missed only the last is made up for.
	Every time.Duration
}

func (s Schedule) validate() error {
	switch {
	case s.Every != 0 && s.Every < time.Second:
		return actor.Errorf(actor.InvalidArgument, "a reminder every %v: the least is a second; see actor.Every for timers that do not last", s.Every)
	case s.Every == 0 && s.First.IsZero():
		return actor.Errorf(actor.InvalidArgument, "the Schedule is zero: say when the reminder is due")
	case s.First.Year() < 1 || s.First.After(latestDue()):
		return actor.Errorf(actor.InvalidArgument, "a reminder for the year %d: it can be for the years 1 to %d", s.First.Year(), latestDue().Year())
	}
	first := s.First
	if now := time.Now(); first.Before(now) {
		first = now
	}
	if second := first.Add(s.Every); second.After(latestDue()) || second.Before(first) {
		return actor.Errorf(actor.InvalidArgument, "a reminder every %v: the next would be due after the year %d, until which one can be kept", s.Every, latestDue().Year())
	}
	return nil
}

// Remind lets the actor behind to, which must be of the Reminders' own system, be
// sent q whenever it is due. It replaces the reminder of that actor with the same
// name. When Remind returns without an error, the reminder is durable.
func Remind[P, R any, Q actor.Request[P, R]](ctx context.Context, r *Reminders, to actor.Ref[P], name string, when Schedule, q Q) error {
	path, err := r.pathOf(to, name)
	if err != nil {
		return err
	}
	if err := when.validate(); err != nil {
		return err
	}
	b := &booking{r, reminder{path: path, name: name, due: when.First, every: when.Every}}
	_, err = actor.Ask(ctx, actor.NewRef[P](b), q)
	return err
}

// Cancel takes a reminder back. That there is none is no error. One that is being
// sent may still arrive.
func (r *Reminders) Cancel(ctx context.Context, to actor.Addressable, name string) error {
	path, err := r.pathOf(to, name)
	if err != nil {
		return err
	}
	return r.change(ctx, reminder{path: path, name: name}, true)
}

// Reminder is one that is to come.
type Reminder struct {
	Name string
	// Message is the name of the request's type, such as "bank.PayInterest".
	Message string
	// Due is when it is, or was, due.
	Due time.Time
	// Every is the time from one to the next; 0 for once.
	Every time.Duration
	// Failures is how often it has been sent in vain since it was due.
	Failures int
}

// List returns the reminders of an actor, by name. One whose record is damaged is left
// out, and logged; it can be taken back or replaced by its name.
func (r *Reminders) List(ctx context.Context, of actor.Addressable) ([]Reminder, error) {
	path, err := r.pathOf(of, "any")
	if err != nil {
		return nil, err
	}
	records, err := r.store.List(ctx, Query{Prefix: reminderKeys + path + "#"})
	if err != nil {
		return nil, err
	}
	var list []Reminder
	for i := range records {
		m, err := parseReminder(&records[i])
		if err != nil {
			r.logOnce(records[i].Key, err)
			continue
		}
		list = append(list, Reminder{Name: m.name, Message: m.message, Due: m.due, Every: m.every, Failures: m.failures})
	}
	return list, nil
}

func (r *Reminders) pathOf(a actor.Addressable, name string) (string, error) {
	if name == "" {
		return "", actor.Errorf(actor.InvalidArgument, "a reminder needs a name")
	}
	path, _, ok := r.system.PathOf(a)
	if !ok {
		return "", actor.Errorf(actor.InvalidArgument, "%q is not an actor of this system: its own node has to remind it", a.Address())
	}
	return path, nil
}

// change writes m in place of the reminder with its name, or removes that.
func (r *Reminders) change(ctx context.Context, m reminder, remove bool) error {
	for {
		begun, err := r.tryChange(ctx, m, remove)
		if errors.Is(err, ErrConflict) && ctx.Err() == nil {
			continue
		}
		if !remove {
			r.written(&begun) // also where the outcome is not known
		}
		return err
	}
}

// tryChange returns what m became.
func (r *Reminders) tryChange(ctx context.Context, m reminder, remove bool) (reminder, error) {
	record, err := r.store.Get(ctx, m.key())
	there := !errors.Is(err, ErrNotFound)
	switch {
	case err != nil && there:
		return m, err
	case !there && remove:
		return m, nil
	}
	var before *reminder
	if there {
		// A damaged one does not say which key it has in the order of time: that one goes
		// when it is due.
		if old, err := parseReminder(&record); err == nil {
			before = &old
		}
	}
	t := m.removal(record.Revision)
	switch {
	case !remove:
		m.begin(before, time.Now())
		t = m.replaces(before, record.Revision)
	case before != nil:
		t = before.removal(record.Revision)
	}
	_, err = r.store.Commit(ctx, t)
	return m, err
}

// logOnce logs that a record is damaged, unless it has been.
func (r *Reminders) logOnce(key string, err error) {
	if _, logged := r.damaged.LoadOrStore(key, true); !logged {
		r.log.Error("passing over a damaged reminder; cancel it, or set it anew", "error", err)
	}
}
