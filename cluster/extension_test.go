package cluster_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// onDemand is an extension whose actors are spawned by their first message.
type onDemand struct {
	node       *cluster.Node
	definition actor.Definition[Worker]
}

func (x *onDemand) Resolve(path string) (actor.Recipient, error) {
	name := "made:" + strings.TrimPrefix(path, "made://")
	a, err := actor.Resolve[Worker](x.node.System(), "actor://node-1/"+name)
	return a.Address().Recipient(), err
}

func (x *onDemand) Deliver(ctx context.Context, d actor.Delivery) error {
	if _, err := x.node.System().Spawn(x.definition, actor.WithName(d.Path)); err != nil && actor.CodeOf(err) != actor.AlreadyExists {
		return err
	}
	return x.node.System().Deliver(ctx, d)
}

func TestAnExtensionHasRefsAndActorsOfItsOwn(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		for i := range 2 {
			n := c.Node(i)
			made := n.Extend("made", func() cluster.Extension { return &onDemand{n, b.worker("worker")} })
			if again := n.Extend("made", func() cluster.Extension { return nil }); again != made {
				t.Error("it was made twice")
			}
		}
		ref, err := actor.Resolve[Worker](c.Node(0).System(), "made://thing")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if on, err := actor.Ask(within(t, time.Minute), ref, Where{}); on != "node-1" || err != nil {
				t.Errorf("%q, %v", on, err)
			}
		}
		if _, err := actor.Resolve[Worker](c.Node(0).System(), "unknown://thing"); actor.CodeOf(err) != actor.InvalidArgument {
			t.Errorf("the path of nobody: %v", err)
		}
	})
}

// mailroom is an extension that keeps what is sent to it.
type mailroom struct{ got chan actor.Delivery }

func (*mailroom) Resolve(path string) (actor.Recipient, error) { return nil, actor.NotFound }

func (x *mailroom) Deliver(_ context.Context, d actor.Delivery) error {
	d.Payload = slices.Clone(d.Payload)
	x.got <- d
	return nil
}

func TestEncodedMessagesAreSentAsTheyAre(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		x := &mailroom{make(chan actor.Delivery, 1000)}
		c.Node(1).Extend("mail", func() cluster.Extension { return x })
		d := actor.Delivery{Path: "mail:box", UID: 7, Message: "a letter", ContentType: "text/plain", Payload: []byte("0")}
		for i := range 1000 {
			d.Payload[0] = byte(i) // Send has not kept it
			if err := c.Node(0).Send("node-1", d); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 1000 {
			got := <-x.got
			if got.Path != d.Path || got.UID != 7 || got.Message != d.Message || got.ContentType != d.ContentType || got.Payload[0] != byte(i) || got.Reply != nil {
				t.Fatalf("message %d is %+v", i, got)
			}
		}
		for what, send := range map[actor.Code]func() error{
			actor.Unavailable: func() error { return c.Node(0).Send("nobody", d) },
			actor.InvalidArgument: func() error {
				d := d
				d.Reply = func(any, error) {}
				return c.Node(0).Send("node-1", d)
			},
		} {
			if err := send(); actor.CodeOf(err) != what || !actor.AsError(err).NotRun {
				t.Errorf("%v, want %v", err, what)
			}
		}
	})
}
