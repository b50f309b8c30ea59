package persistence

import (
	"reflect"
	"strconv"

	"github.com/troupe-go/troupe/actor"
)

// Journal keeps what has happened to one actor as events of type E, so that it
// can be brought back by applying them again: event sourcing (Fowler,
// https://martinfowler.com/eaaDev/EventSourcing.html). It belongs to one
// incarnation of the actor; make it in the function given to actor.Define, and call
// Recover in Started. Its methods are called by the actor only.
//
// An actor has at most one writer: of two actors with one identity, on whatever
// nodes, the one that falls behind fails with [ErrConflict] when it writes, and
// recovers what the other has written.
type Journal[E any] struct {
	durable
	apply    func(E)
	config   journalConfig
	applying bool

	sequence      uint64   // of the latest event
	latest        Revision // of its record; 0 if it has been deleted
	first         uint64   // events before it have been deleted; 0 for none
	firstRevision Revision // of the record that says so
	snapshots     []uint64 // that are kept, oldest first
	broken        []uint64 // snapshots that cannot be used
}

// JournalOption changes a Journal. Options may be made once and used for many.
type JournalOption interface{ applyJournal(*journalConfig) }

type journalConfig struct {
	durable  durable
	types    []*schema
	snapshot snapshotConfig
	onReplay func(replayed, total uint64)
	invalid  error
}

type journalOption func(*journalConfig)

func (f journalOption) applyJournal(c *journalConfig) { f(c) }

// EventType lets events of type T be kept under a name, which must never change
// again; T itself may be renamed. E of the Journal is T, or an interface that T
// implements. Fields may be added to T at any time: they are zero in older events.
// For any other change, keep a copy of the old type and give an [Upcast] from it.
func EventType[T any](name string, upcasters ...Upcaster) JournalOption {
	s, err := newSchema[T](name, upcasters)
	if name == "" {
		err = actor.Errorf(actor.InvalidArgument, "EventType of %s needs a name", reflect.TypeFor[T]())
	}
	return journalOption(func(c *journalConfig) {
		if err != nil {
			c.reject(err)
			return
		}
		c.add(s)
	})
}

// OnReplay lets Recover call f now and then, and at its end, with the number of
// events applied so far and in all.
func OnReplay(f func(replayed, total uint64)) JournalOption {
	return journalOption(func(c *journalConfig) { c.onReplay = f })
}

func (c *journalConfig) add(s *schema) {
	for _, known := range c.types {
		if known.name == s.name || known.typ == s.typ {
			c.reject(actor.Errorf(actor.InvalidArgument, "two EventTypes have the name %q, or the type %s", s.name, s.typ))
		}
	}
	c.types = append(c.types, s)
}

func (c *journalConfig) reject(err error) {
	if c.invalid == nil {
		c.invalid = err
	}
}

// NewJournal returns the journal of an actor that changes its state by apply, and
// only there. apply cannot refuse an event, which has happened, and must do nothing
// but change the state: it runs again at each recovery. A mistake in the options is
// reported by Recover.
func NewJournal[E any](store Store, apply func(E), options ...JournalOption) *Journal[E] {
	j := &Journal[E]{apply: apply}
	j.config.durable = durable{store: store, remember: defaultRemember}
	j.config.snapshot.keep = defaultSnapshots
	for _, o := range options {
		o.applyJournal(&j.config)
	}
	j.durable = j.config.durable
	if apply == nil {
		j.config.reject(actor.Errorf(actor.InvalidArgument, "NewJournal needs a function that applies events"))
	}
	for _, s := range j.config.types {
		if e := reflect.TypeFor[E](); !s.typ.AssignableTo(e) {
			j.config.reject(actor.Errorf(actor.InvalidArgument, "EventType %s: a %s is not a %s", s, s.typ, e))
		}
	}
	return j
}

// Sequence returns the number of the latest event; they count from 1.
func (j *Journal[E]) Sequence() uint64 { return j.sequence }

// The keys of a journal, with numbers of a fixed width, so that they are in order.
func (d *durable) eventKeys() string           { return d.id + "#event/" }
func (d *durable) eventKey(n uint64) string    { return d.eventKeys() + number(n) }
func (d *durable) snapshotKeys() string        { return d.id + "#snapshot/" }
func (d *durable) snapshotKey(n uint64) string { return d.snapshotKeys() + number(n) }
func (d *durable) firstKey() string            { return d.id + "#first" }

// number writes n with as many digits as the largest one has.
func number(n uint64) string {
	const zeros = "00000000000000000000"
	digits := strconv.FormatUint(n, 10)
	return zeros[len(digits):] + digits
}

func parseNumber(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }
