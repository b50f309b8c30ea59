package actor

import (
	"context"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/mailbox"
)

// A call that comes back to an actor whose turn waits for it would never end. So each
// call knows the chain of handlers that it comes from: its Context has that of the handler
// that asks, which has another one, and so on, up to what another node has sent along. An
// actor counts as waiting only while its own goroutine is in Ask: what a handler has
// started, and Pipe, leave its turn free. See docs/adr/0019-call-chains.md.

// Hop is an actor whose handler has asked, and so passed a call on.
type Hop struct {
	// Actor is the path of the actor, as a Ref prints it, with its incarnation.
	Actor string
	// Ask is the number of the request that the actor's turn waits for; 0 if it waits for
	// none, as when it replies later.
	Ask uint32
}

// maxHops bounds a chain: beyond it, actors most likely ask each other in a circle.
const maxHops = 64

// chained is the base of a call from another node that has come through handlers.
type chained struct {
	context.Context
	hops []Hop // oldest first
}

// Chain returns the actors that a request has come through, oldest first, for
// [Delivery.Chain]; nil if no handler asks. The slice is the caller's.
func (e Envelope) Chain() []Hop {
	if k, ok := e.message.(request); ok {
		return k.sender().chain()
	}
	return nil
}

// send is Ask with the chain: k is the Context of the call in e.
func (k *Context) send(to Recipient, e Envelope) error {
	from := handlerOf(k.base)
	if from == nil {
		return k.overdue(to, to.Ask(e))
	}
	k.from, k.depth = from, from.passed()+1
	if k.depth > maxHops {
		return notRun(FailedPrecondition, "the call would come through more than %d actors: %s; do not ask in a circle",
			maxHops, route(from.chain(), from.in.cell))
	}
	if mailbox.OnRunner() {
		c := from.in.cell
		k.ask = c.asks.Add(2) | 1 // never 0
		before := c.waits.Swap(k.ask)
		defer c.waits.CompareAndSwap(k.ask, before)
	}
	return k.overdue(to, to.Ask(e))
}

// follow gives a further Context of a call the chain of the first.
func (k *Context) follow(first *Context) {
	k.from, k.depth, k.ask = first.from, first.depth, first.ask
}

// passed returns how many actors a call has come through.
func (k *Context) passed() uint8 {
	if k.from == nil {
		return uint8(len(k.above()))
	}
	return k.depth
}

// above returns what another node has sent along, at most maxHops.
func (k *Context) above() []Hop {
	if arrived, ok := k.base.(*chained); ok {
		return arrived.hops
	}
	return nil
}

// over reports whether nobody waits for the call of k any more: it has been answered, or
// its asker has gone. Those above wait for it no longer, whatever comes of it.
func (k *Context) over() bool {
	m := k.merged.Load()
	return m != nil && m.over.Load() || k.base != nil && k.base.Err() != nil
}

func (k *Context) chain() []Hop {
	var here []Hop
	over := k.over()
	for ; k.from != nil; k, over = k.from, over || k.from.over() {
		here = append(here, Hop{k.from.in.cell.String(), waiting(k.ask, over)})
	}
	slices.Reverse(here)
	hops := slices.Clone(k.above())
	for i := range hops {
		hops[i].Ask = waiting(hops[i].Ask, over)
	}
	return append(hops, here...)
}

func waiting(ask uint32, over bool) uint32 {
	if over {
		return 0
	}
	return ask
}

// awaits returns an error if c's turn waits for the call of k, and would not come to it.
func (c *cell) awaits(k *Context) error {
	ask := c.waits.Load()
	if ask == 0 || !c.process.Runs() {
		return nil
	}
	first := k
	for ; first.from != nil && !first.over(); first = first.from {
		if first.ask == ask && first.from.in.cell == c {
			return c.circle(k)
		}
	}
	if hops := first.above(); len(hops) > 0 && !first.over() && slices.Contains(hops, Hop{c.String(), ask}) {
		return c.circle(k)
	}
	return nil
}

func (c *cell) circle(k *Context) error {
	return notRun(FailedPrecondition, "%s waits for this call itself, and would for ever: %s; use Tell, Pipe or ReplyLater instead of asking back",
		c, route(k.chain(), c))
}

// route is a chain for people.
func route(hops []Hop, to *cell) string {
	var b strings.Builder
	for _, h := range hops {
		b.WriteString(h.Actor + " -> ")
	}
	return b.String() + to.String()
}
