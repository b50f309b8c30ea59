package virtual

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// backlog holds what was told to actors whose shards have no owner now, in order.
type backlog struct {
	count atomic.Int64

	mu      sync.Mutex
	letters map[string][]letter // by name of the actor
	busy    bool                // somebody delivers
	closed  bool
}

// letter is a message that was told, here or on another node.
type letter struct {
	envelope  actor.Envelope
	forwarded *forwarded      // nil for an envelope
	from      context.Context // of what was forwarded
	since     time.Time
}

// How many messages are held for the actors of one kind, for how long, and how often
// they are tried although nothing has changed.
const (
	maxHeld   = 10_000
	heldFor   = 30 * time.Second
	heldPause = 100 * time.Millisecond
)

// holds reports whether messages for the named actor wait here: later ones must not
// overtake them.
func (b *backlog) holds(name string) bool {
	if b.count.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.letters[name]) > 0
}

// keep holds a message until its actor can be reached.
func (k *kind) keep(name string, l letter) error {
	if err := k.deserted(); err != nil {
		return err
	}
	b := &k.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errLeft(k.extension.node)
	}
	if b.count.Load() >= maxHeld {
		return refusal(actor.ResourceExhausted, "too many messages wait for virtual actors of kind %q", k.name)
	}
	if b.busy = b.busy || k.extension.run(k.deliverBacklog); !b.busy {
		return errLeft(k.extension.node)
	}
	if b.letters == nil {
		b.letters = make(map[string][]letter)
	}
	l.since = time.Now()
	b.letters[name] = append(b.letters[name], l)
	b.count.Add(1)
	return nil
}

// deliverBacklog tries until nothing is held any more.
func (k *kind) deliverBacklog(ctx context.Context) {
	waiting := k.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: messages told to actors of the kind %q wait", k.name))
	defer waiting.Done()
	for {
		changed := k.change()
		if k.deliverHeld() {
			return
		}
		waiting.Because(holding{k})
		timer := time.NewTimer(heldPause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			k.closeBacklog()
		}
		timer.Stop()
	}
}

// holding is why messages are held.
type holding struct{ kind *kind }

// Error tells it of the first one.
func (h holding) Error() string {
	for _, name := range h.kind.backlog.names() {
		if !h.kind.table.Load().owner(name).known() {
			return fmt.Sprintf("such as for %s: %s", refPath(name), h.kind.unowned())
		}
	}
	return "the nodes that have the actors do not take them yet"
}

// deliverHeld sends what can be sent, and reports whether nothing is left.
func (k *kind) deliverHeld() (done bool) {
	b := &k.backlog
	for _, name := range b.names() {
		for {
			l, ok := b.first(name)
			if !ok || !k.deliverLetter(name, l) {
				break
			}
			b.removeFirst(name)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = b.count.Load() > 0
	return !b.busy
}

// deliverLetter reports whether l need not be held any longer.
func (k *kind) deliverLetter(name string, l letter) bool {
	err := error(notHere(name, "its shard has no owner"))
	if o := k.table.Load().owner(name); o.known() {
		err = k.send(name, o.Node, l)
	}
	switch {
	case err == nil:
		return true
	case (isUntaken(err, nil) || hasNoRoom(err)) && time.Since(l.since) < heldFor:
		return false
	case hasNoRoom(err):
		err = refusal(actor.ResourceExhausted, "%s had no room for %v", refPath(name), heldFor)
	}
	k.lose(name, l, err)
	return true
}

func (k *kind) send(name, node string, l letter) error {
	x := k.extension
	switch {
	case l.forwarded == nil:
		// Its sender has gone on, and what is held for other actors must not wait with it.
		return ref{extension: x, kind: k.name, name: name}.tell(k, node, l.envelope.Impatient())
	case node == x.node.Name():
		return k.tellForwarded(l.from, *l.forwarded)
	}
	return l.forwarded.relay(x, node)
}

// lose makes a message a dead letter.
func (k *kind) lose(name string, l letter, reason error) {
	system := k.extension.node.System()
	d := actor.DeadLetter{To: refPath(name), Reason: actor.AsError(reason)}
	if l.forwarded != nil {
		d.Name = l.forwarded.Message
	} else {
		d.Message, d.Name = l.envelope.Message(), system.MessageName(l.envelope)
	}
	system.DeadLetter(d)
}

// closeBacklog gives up what is held: the node leaves.
func (k *kind) closeBacklog() {
	b := &k.backlog
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	for _, name := range b.names() {
		for l, ok := b.first(name); ok; l, ok = b.first(name) {
			k.lose(name, l, errLeft(k.extension.node))
			b.removeFirst(name)
		}
	}
}

func (b *backlog) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	names := make([]string, 0, len(b.letters))
	for name := range b.letters {
		names = append(names, name)
	}
	return names
}

func (b *backlog) first(name string) (letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.letters[name]) == 0 {
		return letter{}, false
	}
	return b.letters[name][0], true
}

// removeFirst forgets a message once it has been sent, so that no other could
// overtake it before.
func (b *backlog) removeFirst(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count.Add(-1)
	if b.letters[name] = b.letters[name][1:]; len(b.letters[name]) == 0 {
		delete(b.letters, name)
	}
}
