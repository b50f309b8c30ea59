package persistence

import (
	"reflect"

	"github.com/troupe-go/troupe/actor"
)

var errApplying = actor.NewError(actor.FailedPrecondition, "an event is being applied")

// Persist writes events, all or none, and applies them: when it returns they are
// durable. When they are not, it does not return: the actor fails, with the error
// of the store, and recovers; see [actor.Context.Fail]. So no handler can answer
// success for what has not happened. The caller's deadline does not end Persist.
func (j *Journal[E]) Persist(ctx *actor.Context, events ...E) {
	if len(events) == 0 {
		return
	}
	if err := j.persist(ctx, events, nil, nil); err != nil {
		ctx.Fail(err)
	}
}

// PersistOnce is Persist for a message that its sender may send again. decide
// returns the reply and the events, or an error, which is returned. The reply is
// kept under key in the same transaction as the events; when a message with that
// key comes again, decide is not called, and the same reply is returned. What
// decide refused is not kept, and is decided anew.
//
// decide sees the state before its events. Keys are the actor's own, so that two
// actors may be sent the same one, and are kept as long as [Remember] says.
func PersistOnce[E, R any](ctx *actor.Context, j *Journal[E], key string, decide func() (R, []E, error)) (R, error) {
	var none R
	reply, before, err := replied[R](ctx, &j.durable, key)
	if before || err != nil {
		return reply, err
	}
	reply, events, err := decide()
	if err != nil {
		return none, err
	}
	change, condition, err := j.remembered(ctx, key, reply)
	if err != nil {
		return none, err
	}
	if err := j.persist(ctx, events, []Change{change}, []Condition{condition}); err != nil {
		ctx.Fail(err)
	}
	return reply, nil
}

// persist commits events together with other changes, and applies them.
func (j *Journal[E]) persist(ctx *actor.Context, events []E, then []Change, conditions []Condition) error {
	switch {
	case !j.ready:
		return errNotReady("Recover")
	case j.applying:
		return actor.Errorf(actor.FailedPrecondition, "%w: apply must only change the state", errApplying)
	}
	for i, e := range events {
		change, err := j.encode(ctx, e)
		if err != nil {
			return err
		}
		change.Key = j.eventKey(j.sequence + 1 + uint64(i))
		then = append(then, change)
	}
	// The next event is new: nobody else has written. None have been deleted that we
	// do not know of, or it might only seem so. And the latest is still the one we
	// know: a restored backup may have taken it away.
	conditions = append(conditions,
		Condition{Key: j.eventKey(j.sequence + 1)},
		Condition{Key: j.firstKey(), Revision: j.firstRevision},
		Condition{Key: j.eventKey(j.sequence), Revision: j.latest})
	revision, err := j.commit(ctx, Transaction{If: conditions, Then: then})
	if err != nil {
		return err
	}
	if len(events) > 0 {
		j.latest = revision
	}
	for _, e := range events {
		j.sequence++
		j.applyOne(e)
	}
	j.snapshotIfDue(ctx)
	return nil
}

func (j *Journal[E]) applyOne(e E) {
	j.applying = true
	defer func() { j.applying = false }()
	j.apply(e)
}

func (j *Journal[E]) encode(ctx *actor.Context, event E) (Change, error) {
	t := reflect.TypeOf(event)
	for _, s := range j.config.types {
		if s.typ == t {
			return s.encode(ctx.System(), event)
		}
	}
	return Change{}, actor.Errorf(actor.InvalidArgument, "%w: events of type %v; add an EventType to the journal", ErrUnknownType, t)
}
