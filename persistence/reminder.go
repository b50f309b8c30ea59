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
	work   sync.WaitGroup
	wake   chan struct{} // has room for one

	mu       sync.Mutex
	inFlight map[string]bool // by key in the order of time
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
		store:    store,
		system:   system,
		log:      config.Logger,
		timeout:  config.Timeout,
		wake:     make(chan struct{}, 1),
		inFlight: make(map[string]bool),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.work.Go(r.run)
	return r, nil
}

// Close ends the sending and waits for its goroutines. Reminders that handlers are
// at work on will be sent again by the next process. It is idempotent.
func (r *Reminders) Close() error {
	r.cancel()
	r.work.Wait()
	return nil
}

// Schedule says when a reminder is due. It is once, unless Every is set.
type Schedule struct {
	// First is the first time. It may have passed: then it is due at once. Zero is
	// Every from now; but a reminder that is there already with the same Every goes
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

// List returns the reminders of an actor, by name.
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
			return nil, err
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
		err := r.tryChange(ctx, m, remove)
		if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			r.wakeUp()
			return err
		}
	}
}

func (r *Reminders) tryChange(ctx context.Context, m reminder, remove bool) error {
	var before *reminder
	record, err := r.store.Get(ctx, m.key())
	if err == nil {
		var old reminder
		old, err = parseReminder(&record)
		before = &old
	}
	switch {
	case errors.Is(err, ErrNotFound) && remove:
		return nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	var t Transaction
	if remove {
		t = before.removal(record.Revision)
	} else {
		m.begin(before, time.Now())
		t = m.replaces(before, record.Revision)
	}
	_, err = r.store.Commit(ctx, t)
	return err
}
