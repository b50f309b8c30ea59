package topic

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestEventsThatArePublishedTogetherGoTogether(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		topics := []*Topic[Placed]{durable(c.Node(0), Partitions(1)), durable(c.Node(1), Partitions(1)), durable(c.Node(2), Partitions(1))}
		var publishing sync.WaitGroup
		for i := range 600 {
			publishing.Go(func() { put(t, topics[i%3], Placed{"", i}) })
		}
		publishing.Wait()
		info, err := topics[0].Inspect(t.Context())
		if err != nil || info.Partitions[0].Next-info.Partitions[0].First != 600 {
			t.Errorf("%+v, %v, want 600 events", info, err)
		}
	})
}

// Without a majority, the first shipments wait for the owner, and what comes later for them.
func TestWhoGivesUpLearnsWhetherTheEventMayBeStored(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		orders := durable(c.Node(0), Partitions(1))
		put(t, orders, Placed{"first", 0})
		c.Network.Partition([]string{"node-0"}, []string{"node-1"}, []string{"node-2"})
		const callers = 3 * maxShipments
		failures := make(chan *actor.Error, callers)
		for i := range callers {
			go func() {
				patience := 3 * time.Second
				if i >= maxShipments {
					patience = time.Second
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				failures <- actor.AsError(orders.Publish(ctx, Placed{"", i}))
			}()
			<-time.After(time.Millisecond) // each by itself
		}
		var surelyNot int
		for range callers {
			err := <-failures
			if err.Code != actor.DeadlineExceeded {
				t.Errorf("%v, want DeadlineExceeded", err)
			}
			if err.NotRun {
				surelyNot++
			} else if !strings.Contains(err.Error(), "not known") {
				t.Errorf("%v, want that nobody knows", err)
			}
		}
		if surelyNot < callers-maxShipments {
			t.Errorf("%d of %d callers know that nothing was stored, of which only %d were on their way", surelyNot, callers, maxShipments)
		}
		c.Network.Heal()
		put(t, orders, Placed{"last", 0})
	})
}

func TestAnEventThatIsRefusedDoesNotHarmThoseBesideIt(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		for _, n := range c.Nodes() {
			orders := durable(n, Partitions(1))
			put(t, orders, Placed{"first", 0})
			o := &orders.extension.streams.get("orders").outboxes[0]
			tooLarge := stored{ID: "large", Payload: []byte(strings.Repeat("x", 20<<20))}
			errs := publishTogether(o, stored{ID: "small " + n.Name()}, tooLarge, stored{ID: "other " + n.Name()})
			if errs[0] != nil || actor.CodeOf(errs[1]) != actor.InvalidArgument || errs[2] != nil {
				t.Errorf("on %s: %v, want that the large event alone is refused", n.Name(), errs)
			}
		}
	})
}

// publishTogether has events go in one shipment.
func publishTogether(o *outbox, events ...stored) []error {
	s := &shipment{}
	s.ctx, s.cancel = context.WithTimeout(context.Background(), time.Minute)
	for _, e := range events {
		s.postings = append(s.postings, &posting{event: e, shipment: s, done: make(chan struct{})})
	}
	o.send(s)
	var errs []error
	for _, p := range s.postings {
		<-p.done
		errs = append(errs, p.err)
	}
	return errs
}

func TestPublishingEndsWithTheNode(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		orders := durable(c.Node(0), Partitions(1))
		put(t, orders, Placed{"first", 0})
		c.Network.Partition([]string{"node-0"}, []string{"node-1"}, []string{"node-2"})
		const callers = 2 * maxShipments
		failures := make(chan error, callers)
		for i := range callers {
			go func() { failures <- orders.Publish(context.Background(), Placed{"", i}) }()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Node(0).Leave(ctx)
		<-c.Node(0).Done()
		for range callers {
			if err := <-failures; !errors.Is(err, cluster.ErrLeft) {
				t.Errorf("%v, want that the node has left", err)
			} else if known := !strings.Contains(err.Error(), "not known"); actor.AsError(err).NotRun != known {
				t.Errorf("%v says that it was not done: %v", err, !known)
			}
		}
	})
}
