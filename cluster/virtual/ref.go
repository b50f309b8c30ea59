package virtual

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// Ref returns a Ref to the virtual actor of that kind, the name of the definition
// given to [Serve], with that key. Nothing happens before it gets a message. All Refs
// to one actor are equal, and they may be sent inside messages to any node that has
// used this package before.
//
// kind and key may have any characters, of which kind takes letters, digits and
// -_.@+ only, up to 64, and both together about 110; a byte of the key that is none of
// these counts as three. What is sent to a Ref that does not comply fails with
// InvalidArgument. An empty key is a key; a [Singleton] has it.
func Ref[P any](node *cluster.Node, kind, key string) actor.Ref[P] {
	return actor.NewRef[P](ref{extension: extensionOf(node), kind: kind, name: actorName(kind, key)})
}

// ref stands behind a Ref. It is comparable.
type ref struct {
	extension *extension
	kind      string
	name      string // of the actor
}

var _ actor.Recipient = ref{}

// String returns the path of the Ref.
func (r ref) String() string { return refPath(r.name) }

// Watch implements actor.Recipient: a virtual actor has no end.
func (r ref) Watch(func(error)) (func(), error) {
	return nil, refusal(actor.Unimplemented, "%s is a virtual actor, and cannot be watched: it has no end", r)
}

// look returns what this node knows of the kind.
func (r ref) look() (*kind, error) {
	if k, ok := r.extension.kinds.Load(r.kind); ok && len(r.name) <= maxName {
		k := k.(*kind)
		k.use()
		return k, nil
	}
	if !isLabel(r.kind) || len(r.name) > maxName {
		return nil, refusal(actor.InvalidArgument, "%.200q cannot be the path of a virtual actor: use letters, digits and -_.@+ in its kind, and shorten the key", r.String())
	}
	k := r.extension.kind(r.kind)
	k.use()
	return k, nil
}

// on returns the actor on the node that owns its shard.
func (r ref) on(node string) (actor.Recipient, error) {
	a, err := actor.Resolve[struct{}](r.extension.node.System(), "actor://"+node+"/"+r.name)
	return a.Address().Recipient(), err
}

// Tell implements actor.Recipient.
func (r ref) Tell(e actor.Envelope) error {
	k, err := r.look()
	if err != nil {
		return err
	}
	if sent, err := r.tellNow(k, e); sent {
		return err
	}
	err = k.keep(r.name, letter{envelope: e})
	if ctx := e.Context(); ctx != nil && actor.CodeOf(err) == actor.ResourceExhausted {
		return r.tellPatiently(ctx, k, e, err)
	}
	return err
}

// tellNow reports whether e was sent: the actor can be reached, and nothing waits for that
// before e.
func (r ref) tellNow(k *kind, e actor.Envelope) (sent bool, err error) {
	o := k.table.Load().owner(r.name)
	if !o.known() || k.backlog.holds(r.name) {
		return false, nil
	}
	err = r.tell(k, o.Node, e)
	return err == nil || !isUntaken(err, nil), err
}

// tellPatiently waits for room among the messages that wait. last says that there is none.
func (r ref) tellPatiently(ctx context.Context, k *kind, e actor.Envelope, last error) error {
	waiting := r.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: senders to actors of the kind %q wait", k.name))
	defer waiting.Done()
	pause := time.NewTicker(heldPause)
	defer pause.Stop()
	for {
		waiting.Because(last)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return refusal(actor.CodeOf(ctx.Err()), "the virtual actor %s was not told in time: %v", refPath(r.name), last)
		case <-r.extension.ctx.Done():
			return errLeft(r.extension.node)
		}
		if sent, err := r.tellNow(k, e); sent {
			return err
		}
		if last = k.keep(r.name, letter{envelope: e}); actor.CodeOf(last) != actor.ResourceExhausted {
			return last
		}
	}
}

func (r ref) tell(k *kind, node string, e actor.Envelope) error {
	if node == r.extension.node.Name() {
		return k.tellHere(r.name, e)
	}
	a, err := r.on(node)
	if err != nil {
		return err
	}
	return a.Tell(e)
}

// Ask implements actor.Recipient.
func (r ref) Ask(e actor.Envelope) error {
	k, err := r.look()
	if err != nil {
		return err
	}
	if !k.backlog.holds(r.name) {
		if a := k.activated(r.name); a != nil {
			err = a.ask(e)
		} else if o := k.table.Load().owner(r.name); o.known() {
			err = r.ask(k, o.Node, e)
		} else {
			err = notHere(r.name, "its shard has no owner yet")
		}
		if err == nil || !isUntaken(err, e.Message()) {
			return err
		}
	}
	return r.askPatiently(e.Context(), k, e, err)
}

func (r ref) ask(k *kind, node string, e actor.Envelope) error {
	if node == r.extension.node.Name() {
		return k.askHere(r.name, e)
	}
	a, err := r.on(node)
	if err != nil {
		return err
	}
	return a.Ask(e)
}

// Requests that wait for the owner of their shard: how many may, and how long they do
// before they try again although nothing has changed.
const (
	maxWaiting = 100_000
	minPause   = time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// askPatiently tries until somebody has taken the request, or it is hopeless. last is
// how an attempt before has failed.
func (r ref) askPatiently(ctx context.Context, k *kind, e actor.Envelope, last error) error {
	defer k.waiting.Add(-1)
	if k.waiting.Add(1) > maxWaiting {
		return refusal(actor.ResourceExhausted, "too many requests wait for virtual actors of kind %q", k.name)
	}
	waiting := r.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: requests to actors of the kind %q wait", k.name))
	defer waiting.Done()
	began, wait := time.Now(), minPause
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for changed := k.change(); ; {
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return overdue(ctx, reason{k, r.name, last})
		case <-r.extension.ctx.Done():
			return errLeft(r.extension.node)
		}
		changed = k.change()
		if o := k.table.Load().owner(r.name); o.known() && !k.backlog.holds(r.name) {
			err := r.ask(k, o.Node, e)
			if err == nil || !isUntaken(err, e.Message()) {
				return err
			}
			last = err
		}
		if err := k.hopeless(began); err != nil {
			return err
		}
		waiting.Because(reason{k, r.name, last})
		wait = min(2*wait, maxPause)
		timer.Reset(wait)
	}
}
