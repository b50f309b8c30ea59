package topic

import (
	"context"
	"strings"

	"github.com/troupe-go/troupe/actor"
)

// Deliver implements cluster.Extension: it takes an event from another node.
func (x *extension) Deliver(ctx context.Context, d actor.Delivery) error {
	topic, ok := strings.CutPrefix(d.Path, pathPrefix)
	if !ok || len(topic) > maxName || d.Reply != nil {
		return refusal(actor.InvalidArgument, "%.300q is not a topic that can be published to", d.Path)
	}
	to := parseAddress(d.Message)
	p := x.parcels.get()
	defer x.parcels.put(p)
	r := p.routeOf(x.current(), d.Path, topic)
	p.topic, p.node, p.kind = topic, p.nodeOf(ctx), to.kind
	p.contentType, p.payload = d.ContentType, d.Payload
	p.alone = r.alone(to)
	if to.plain() {
		for _, s := range r.subs {
			s.accept(p)
		}
	}
	var failed error
	for name, rest, more := next(to.groups); more; name, rest, more = next(rest) {
		g := r.group(name)
		if g != nil && len(g.members) > 0 {
			g.member().accept(p)
		} else if err := x.passOn(p, d.Path, name, to, r, g); err != nil {
			failed = err
		}
	}
	return failed
}

// next returns the first of the names in a list, and the rest of them.
func next(list string) (name, rest string, ok bool) {
	name, rest, _ = strings.Cut(list, ",")
	return name, rest, name != ""
}

// passOn sends an event for a group to another node, once: the last member here may have
// stopped before the publisher could know.
func (x *extension) passOn(p *parcel, path, name string, to address, r *route, g *group) error {
	if g == nil || to.mode == passedOn {
		return refusal(actor.NotFound, "group %q has no member on node %q now", name, x.node.Name())
	}
	to = address{mode: passedOn, groups: name, kind: to.kind}
	var err error
	for range g.shares {
		if err = x.send(r.nodes[g.pick()].node, path, to.String(), p); err == nil {
			return nil
		}
	}
	return err
}
