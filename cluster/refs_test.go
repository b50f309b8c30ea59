package cluster_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestRefsTravelToWhereverAndBack(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(2))
		first := b.spawn(t, c.Node(0), c.Node(0))
		second := b.spawn(t, c.Node(1), c.Node(0))
		third := b.spawn(t, c.Node(2), c.Node(0))
		for what, test := range map[string]struct {
			to   []actor.Ref[Worker]
			want []string
		}{
			"an actor":                  {[]actor.Ref[Worker]{second}, []string{"node-0", "node-1"}},
			"to a third node":           {[]actor.Ref[Worker]{second, third}, []string{"node-0", "node-1", "node-2"}},
			"a service":                 {[]actor.Ref[Worker]{second, workers(c.Node(0))}, []string{"node-0", "node-1", "node-2"}},
			"a service beside the user": {[]actor.Ref[Worker]{third, b.spawn(t, c.Node(1), c.Node(0), actor.WithName("x")), workers(c.Node(0))}, []string{"node-0", "node-2", "node-1", "node-2"}},
		} {
			got, err := actor.Ask(within(t, time.Minute), first, Ring{To: test.to})
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, %v, want %v", what, got, err, test.want)
			}
		}
		_, err := actor.Ask(within(t, time.Minute), first, Ring{To: []actor.Ref[Worker]{{}}})
		wantCode(t, "the zero Ref", err, actor.InvalidArgument)
	})
}

// Teller is the protocol of an actor that asks for others.
type Teller struct{}

// AskFor asks the worker who it thinks has asked.
type AskFor struct {
	actor.Call[Teller, Sender]
	Ref actor.Ref[Worker]
}

type teller struct{}

func (teller) askFor(ctx *actor.Context, m AskFor) (Sender, error) {
	return actor.Ask(ctx, m.Ref, Who{})
}

func TestAHandlerKnowsWhoSentTheMessage(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		there := b.spawn(t, c.Node(1), c.Node(0))
		here := b.spawn(t, c.Node(0), c.Node(0))

		got, err := actor.Ask(t.Context(), there, Who{})
		if err != nil || got.Node != "node-0" || !got.Ref.IsZero() {
			t.Errorf("asked by nobody on another node: %+v, %v", got, err)
		}
		asker, err := actor.Spawn(c.Node(0).System(), actor.Define("teller", func() teller { return teller{} }, actor.OnCall(teller.askFor)))
		if err != nil {
			t.Fatal(err)
		}
		for what, ref := range map[string]actor.Ref[Worker]{"node-0": there, "": here} {
			got, err = actor.Ask(t.Context(), asker, AskFor{Ref: ref})
			if err != nil || got.Node != what || got.Ref.String() != asker.String() {
				t.Errorf("asked by an actor: %+v, %v", got, err)
			}
			if got.Ref.Address() != asker.Address() {
				t.Error("a Ref that came home is not the local one")
			}
		}
	})
}

func TestRefsOfOneThingAreEqual(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n, b := c.Node(0), newBench()
		b.serve(t, c, n)
		remote := b.spawn(t, c.Node(1), n)
		again, err := actor.Resolve[Worker](n.System(), remote.String())
		if err != nil || again != remote {
			t.Errorf("%s and %s differ, %v", again, remote, err)
		}
		if workers(n) != workers(n) {
			t.Error("two Refs of one service differ")
		}
		if cluster.Service[Worker](n, "other") == workers(n) {
			t.Error("Refs of two services are equal")
		}
		if got, want := workers(n).String(), "service:///worker"; got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
		// One that was sent to another node and back.
		carrier, err := actor.Spawn(c.Node(1).System(), actor.Define("mirror", func() mirror { return mirror{} }, actor.OnCall(mirror.reflect)))
		if err != nil {
			t.Fatal(err)
		}
		there, err := actor.Resolve[Mirror](n.System(), carrier.String())
		if err != nil {
			t.Fatal(err)
		}
		for what, ref := range map[string]actor.Ref[Worker]{
			"remote": remote, "local": b.spawn(t, n, n), "service": workers(n), "zero": {},
		} {
			back, err := actor.Ask(within(t, time.Minute), there, Reflect{Ref: ref})
			if err != nil || back != ref {
				t.Errorf("%s: %q came back as %q, %v", what, ref, back, err)
			}
		}
	})
}

// Mirror is the protocol of an actor that answers with what it got.
type Mirror struct{}

type Reflect struct {
	actor.Call[Mirror, actor.Ref[Worker]]
	Ref actor.Ref[Worker]
}

type mirror struct{}

func (mirror) reflect(_ *actor.Context, m Reflect) (actor.Ref[Worker], error) { return m.Ref, nil }

func TestARefToNowhereIsAnError(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		for path, code := range map[string]actor.Code{
			"actor://node-9/x":         actor.Unavailable,
			"actor://node-1/nobody":    actor.NotFound,
			"actor://node-0/nobody":    actor.NotFound,
			"actor://node-1/nobody#1a": actor.NotFound,
			"service:///nobody":        actor.Unavailable,
		} {
			ref, err := actor.Resolve[Worker](n.System(), path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			_, err = actor.Ask(context.Background(), ref, Where{})
			wantCode(t, path, err, code)
		}
		for _, path := range []string{"", "x", "actor://node-1", "actor:///x", "actor://node-1/", "actor://node-1/a b", "actor://node-1/x#", "service://", "service:///"} {
			_, err := actor.Resolve[Worker](n.System(), path)
			wantCode(t, path, err, actor.InvalidArgument)
		}
	})
}
