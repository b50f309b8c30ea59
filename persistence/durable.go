package persistence

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// PersistentOption is an option of both [NewJournal] and [NewState].
type PersistentOption interface {
	JournalOption
	StateOption
}

type persistentOption func(*durable)

func (f persistentOption) applyJournal(c *journalConfig) { f(&c.durable) }
func (f persistentOption) applyState(c *stateConfig)     { f(&c.durable) }

// Identity sets under which name an actor's records are kept. It may not contain
// "#". The default is the path of the actor within its node, such as
// "account/ada". Two actors with the same name are two writers: the one that
// writes first makes the other fail.
func Identity(id string) PersistentOption {
	return persistentOption(func(d *durable) { d.id = id })
}

// Remember sets how long the keys given to [PersistOnce] and [SaveOnce] are
// remembered, up to [MaxTTL]. Senders must have stopped trying again by then. Default 24
// hours.
func Remember(period time.Duration) PersistentOption {
	return persistentOption(func(d *durable) {
		if period > 0 {
			d.remember = period
		}
	})
}

const (
	defaultRemember = 24 * time.Hour
	// commitTimeout bounds the wait for a store that does not answer.
	commitTimeout = 10 * time.Second
)

// durable is what a Journal and a State have in common. All records of an actor
// begin with its identity and "#", which no path contains.
type durable struct {
	store    Store
	id       string
	remember time.Duration
	ready    bool
}

var (
	errNotLoaded  = actor.NewError(actor.FailedPrecondition, "the actor has not been recovered")
	errNoIdentity = actor.NewError(actor.InvalidArgument, "the actor has no usable identity")
)

// errNotReady says which method has to be called first.
func errNotReady(method string) error {
	return actor.Errorf(actor.FailedPrecondition, "%w: call %s in its Started method", errNotLoaded, method)
}

// identify finds out whose records these are.
func (d *durable) identify(ctx *actor.Context) error {
	if d.store == nil {
		return actor.Errorf(actor.InvalidArgument, "the store is nil: open one with badger.Open")
	}
	if d.remember > MaxTTL {
		return actor.Errorf(actor.InvalidArgument, "Remember(%v): replies can be kept for up to %v", d.remember, MaxTTL)
	}
	if d.id == "" {
		d.id, _, _ = ctx.System().PathOf(ctx.Self())
	}
	if d.id == "" || strings.Contains(d.id, "#") {
		return actor.Errorf(actor.InvalidArgument, "%w: %q; use Identity, without #", errNoIdentity, d.id)
	}
	return nil
}

// commit applies t. It does not end with the message that is being handled: what
// became of the records would be unknown.
func (d *durable) commit(ctx *actor.Context, t Transaction) (Revision, error) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	revision, err := d.store.Commit(within, t)
	if err == nil {
		return revision, nil
	}
	code := actor.CodeOf(err)
	switch code {
	case actor.Unknown, actor.Canceled, actor.DeadlineExceeded:
		code = actor.Unavailable
	}
	return 0, actor.Errorf(code, "the store did not take what %s wrote: %w", d.id, err)
}

// handledKey is where the reply to the message with that key is kept.
func (d *durable) handledKey(key string) string { return d.id + "#handled/" + key }

// replied returns the answer to a message that was handled before, and whether it
// was.
func replied[R any](ctx *actor.Context, d *durable, key string) (reply R, before bool, err error) {
	switch {
	case !d.ready:
		return reply, false, errNotReady("Recover or Load")
	case key == "":
		return reply, false, actor.Errorf(actor.InvalidArgument, "the key of a message is empty: its sender must choose one, and use it again when it tries again")
	}
	if _, err := ctx.System().Codecs().For(reflect.TypeFor[R]()); err != nil {
		return reply, false, err
	}
	r, err := d.store.Get(ctx, d.handledKey(key))
	if errors.Is(err, ErrNotFound) {
		return reply, false, nil
	}
	if err != nil {
		return reply, false, err
	}
	value, err := decodeAs(ctx.System(), reflect.TypeFor[R](), &r)
	if err != nil {
		return reply, false, actor.Errorf(actor.InvalidArgument, "the key %q belongs to a message with another kind of reply: %w", key, err)
	}
	return value.(R), true, nil
}

// remembered returns the write of a reply, and the condition that it is the first.
func (d *durable) remembered(ctx *actor.Context, key string, reply any) (Change, Condition, error) {
	data, contentType, err := ctx.System().Encode(nil, reply)
	if err != nil {
		return Change{}, Condition{}, err
	}
	at := d.handledKey(key)
	return Change{Key: at, Value: data, Metadata: map[string]string{contentTypeKey: contentType}, TTL: d.remember},
		Condition{Key: at}, nil
}
