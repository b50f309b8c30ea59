package topic

import (
	"context"
	"reflect"
	"strings"

	"github.com/troupe-go/troupe/actor"
)

// Publish gives event to every subscription that is known here, and to one of each
// group: at most once. It does not wait for any of them, and returns when the event is in
// the buffers of those on this node, and on its way to the others. It is no error if
// there are none.
//
// Events that one goroutine publishes to a topic reach a subscription in that order. On
// this node event is handed over as it is: what it refers to must not be changed
// afterwards.
//
// Errors are InvalidArgument for a name with wildcards, an event that is nil, cannot be
// encoded or is too large; cluster.ErrLeft; and ctx's if that has ended: then nobody gets
// the event. ResourceExhausted means that the link to another node is full: that node
// misses the event, and the others get it all the same. Publish more slowly then; to
// publish it again would reach the others twice. A node that cannot be reached at all is
// no error, since a publisher can do nothing about it: what it misses becomes a dead
// letter of this node.
//
// # Durable topics
//
// Publish returns when the event is stored by a majority of the nodes that keep the
// replicated store. While the owner of the partition moves, and while there is no such
// majority, it waits, until ctx ends or for 30 seconds if ctx has no deadline. When it
// fails with another error than InvalidArgument and ResourceExhausted, the event may have
// been stored, or come to be yet, unless the error is NotRun (see package actor): to
// publish it again with the same [ID] and [Key] makes it one event.
//
// ResourceExhausted means that the topic is at its limits, or that more is being published
// than is stored: publish more slowly. FailedPrecondition means that the topic has other
// settings.
func (t *Topic[T]) Publish(ctx context.Context, event T, options ...PublishOption) error {
	if err := t.refuse(ctx); err != nil {
		return err
	}
	if t.kind.pointer && reflect.ValueOf(event).IsNil() {
		return refusal(actor.InvalidArgument, "a nil %s is no event", t.kind.goType)
	}
	if t.source.durable {
		return t.append(ctx, event, options)
	}
	if len(options) > 0 {
		return refusal(actor.InvalidArgument, "Key and ID are for durable topics, and %q is a live one", t.name)
	}
	plan := t.current()
	r := plan.route
	if !plan.local && len(r.nodes) == 0 {
		return nil
	}
	x := t.extension
	p := x.parcels.get()
	defer x.parcels.put(p)
	p.topic, p.node, p.kind = t.name, x.node.Name(), t.kind.name
	if len(r.nodes) > 0 || plan.foreign {
		if err := p.encode(x.node.System(), event); err != nil {
			return err
		}
	}
	if plan.local {
		p.event, p.goType = &Event[T]{Topic: p.topic, Node: p.node, Value: event}, t.kind.goType
	}
	return x.publish(p, plan)
}

// plan is a route as one Topic uses it.
type plan struct {
	table     *table
	route     *route
	local     bool
	foreign   bool // someone here needs the bytes
	path      string
	kind      string
	toGroup   []string // the address for a group alone, by its index in the route
	toBothOne []string // for everybody and one group
}

// current returns the plan for the present route.
func (t *Topic[T]) current() *plan {
	now := t.extension.current()
	if known := t.plan.Load(); known != nil && known.table == now {
		return known
	}
	r := now.route(t.name)
	made := &plan{
		table: now, route: r, local: r.local(), foreign: r.foreign(t.kind),
		path: pathPrefix + t.name, kind: t.kind.name,
	}
	for _, g := range r.groups {
		made.toGroup = append(made.toGroup, address{forGroups, g.name, made.kind}.String())
		made.toBothOne = append(made.toBothOne, address{forAll, g.name, made.kind}.String())
	}
	t.plan.Store(made)
	return made
}

// publish sends p to the nodes that want it, once to each, and gives it to those here.
func (x *extension) publish(p *parcel, plan *plan) error {
	r := plan.route
	var room [8]int
	picks := room[:0] // where it goes, for each group
	for _, g := range r.groups {
		picks = append(picks, g.pick())
	}
	var failed error
	for i := range r.nodes {
		to := plan.address(i, picks)
		if to == "" {
			continue
		}
		err := x.send(r.nodes[i].node, plan.path, to, p)
		if actor.CodeOf(err) == actor.InvalidArgument {
			return err // it is too large, for every node
		}
		if err != nil {
			lost := r.nodes[i].plain
			for j := range picks {
				if picks[j] == i && !x.redirect(p, plan, picks, j) {
					lost = true
				}
			}
			if lost {
				failed = x.lost(p, r.nodes[i].node, err, failed)
			}
		}
	}
	for _, s := range r.subs {
		s.accept(p)
	}
	for j, g := range r.groups {
		if picks[j] == here {
			g.member().accept(p)
		}
	}
	return failed
}

// address returns who on the node with that index shall get the event; empty if nobody.
func (plan *plan) address(node int, picks []int) string {
	plain := plan.route.nodes[node].plain
	picked, count := 0, 0
	for j, pick := range picks {
		if pick == node {
			picked = j
			count++
		}
	}
	switch {
	case count == 0 && plain:
		return plan.kind
	case count == 0:
		return ""
	case count == 1 && plain:
		return plan.toBothOne[picked]
	case count == 1:
		return plan.toGroup[picked]
	}
	a := address{mode: forGroups, kind: plan.kind}
	if plain {
		a.mode = forAll
	}
	var groups []string
	for j, pick := range picks {
		if pick == node {
			groups = append(groups, plan.route.groups[j].name)
		}
	}
	a.groups = strings.Join(groups, ",")
	return a.String()
}

func (x *extension) send(node, path, to string, p *parcel) error {
	return x.node.Send(node, actor.Delivery{Path: path, Message: to, ContentType: p.contentType, Payload: p.payload})
}

// redirect finds another node for the event of a group whose pick does not take it.
func (x *extension) redirect(p *parcel, plan *plan, picks []int, index int) bool {
	refused := picks[index]
	for _, s := range plan.route.groups[index].shares {
		switch {
		case s.node == refused:
			continue
		case s.node != here && x.send(plan.route.nodes[s.node].node, plan.path, plan.toGroup[index], p) != nil:
			continue
		}
		picks[index] = s.node
		if s.node != here {
			picks[index] = nobody // it has been sent
		}
		return true
	}
	return false
}

// lost accounts for an event that a node misses, and returns what Publish does.
func (x *extension) lost(p *parcel, node string, reason, failed error) error {
	if actor.CodeOf(reason) == actor.ResourceExhausted {
		return actor.Errorf(actor.ResourceExhausted, "topic: node %q misses an event published to %q, others get it: %w", node, p.topic, reason)
	}
	x.node.System().DeadLetter(actor.DeadLetter{
		To: "actor://" + node + "/" + pathPrefix + p.topic, Name: p.kind, Reason: actor.AsError(reason),
	})
	return failed
}
