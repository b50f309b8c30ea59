package topic

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestStopHandlesWhatWaitsAndIsIdempotent(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		gate := make(chan struct{})
		r, s := hang(t, n, "orders", gate)
		publish(t, n, "orders", 10)
		var stopping sync.WaitGroup
		for range 5 {
			stopping.Go(func() {
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				r.want(t, "when Stop returns, the subscriber", 10)
			})
		}
		synctest.Wait()
		publish(t, n, "orders", 10)
		close(gate)
		stopping.Wait()
		<-s.Done()
		if err := errors.Join(s.Stop(t.Context()), s.Err()); err != nil {
			t.Error(err)
		}
		if got := s.Stats(); got != (Stats{Handled: 10}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestStopCutsTheHandlerShortWhenTimeIsUp(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		var got error
		deaf := make(chan struct{})
		s, err := Of[Placed](n, "orders").Subscribe(t.Context(), func(ctx context.Context, _ Event[Placed]) error {
			<-ctx.Done()
			got = ctx.Err()
			<-deaf
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, n, "orders", 10)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantCode(t, "Stop", s.Stop(ctx), actor.DeadlineExceeded)
		synctest.Wait()
		if got == nil {
			t.Error("the handler's context has not ended")
		}
		wantCode(t, "another Stop", s.Stop(ctx), actor.DeadlineExceeded)
		close(deaf)
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if got := s.Stats(); got != (Stats{Handled: 1, Dropped: 9}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestAHandlerMayEndItsSubscription(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		subs := make(chan *Subscription, 1)
		s, err := Of[Placed](n, "orders").Subscribe(t.Context(), func(context.Context, Event[Placed]) error {
			s := <-subs
			go func() { _ = s.Stop(context.Background()) }()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		subs <- s
		publish(t, n, "orders", 1)
		<-s.Done()
	})
}

func TestAHandlerThatFailsDisturbsNobody(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		other, _ := subscribe(t, n, "orders")
		r := new(recorder)
		s, err := Of[Placed](n, "orders").Subscribe(t.Context(), func(ctx context.Context, e Event[Placed]) error {
			_ = r.handle(ctx, e)
			switch e.Value.N % 4 {
			case 1:
				return errors.New("no")
			case 2:
				panic("as told")
			case 3:
				runtime.Goexit()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, n, "orders", 400)
		settle()
		r.want(t, "the one that fails", 400)
		other.want(t, "the other", 400)
		if got := s.Stats(); got != (Stats{Handled: 400, Failed: 300}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestLeaveEndsSubscriptions(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(1)
		r, s := subscribe(t, n, "orders")
		orders := Of[Placed](n, "orders")
		await(t, nodes(c, 2), "orders", "node-1")
		publish(t, c.Node(0), "orders", 100)
		publish(t, n, "orders", 0)
		settle()
		if err := n.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-s.Done()
		if !errors.Is(s.Err(), cluster.ErrLeft) {
			t.Errorf("the subscription ended with %v", s.Err())
		}
		r.want(t, "the subscriber", 100)
		await(t, nodes(c, 1), "orders")
		if err := orders.Publish(t.Context(), Placed{}); !errors.Is(err, cluster.ErrLeft) || !actor.AsError(err).NotRun {
			t.Errorf("Publish after Leave: %v", err)
		}
		if _, err := orders.Subscribe(t.Context(), r.handle); !errors.Is(err, cluster.ErrLeft) {
			t.Errorf("Subscribe after Leave: %v", err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestATopicFirstUsedAfterLeaveRefuses(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		if err := n.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		orders := Of[Placed](n, "orders")
		if err := orders.Publish(t.Context(), Placed{}); !errors.Is(err, cluster.ErrLeft) {
			t.Errorf("Publish: %v", err)
		}
		if _, err := orders.Subscribe(t.Context(), new(recorder).handle); !errors.Is(err, cluster.ErrLeft) {
			t.Errorf("Subscribe: %v", err)
		}
	})
}

func TestASplitEndsAtItsBorderAndHeals(t *testing.T) {
	var dead letters
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		a, _ := subscribe(t, c.Node(1), "orders")
		b, _ := subscribe(t, c.Node(2), "orders")
		await(t, nodes(c, 3), "orders", "node-1", "node-2")
		c.Network.Partition([]string{"node-0", "node-1"}, []string{"node-2"})
		publish(t, c.Node(0), "orders", 10) // nobody knows yet
		await(t, nodes(c, 1), "orders", "node-1")
		await(t, []*cluster.Node{c.Node(2)}, "orders", "node-2")
		settle()
		a.want(t, "the one on this side", 10)
		b.want(t, "the one on the other side", 0)
		if dead.count.Load() != 10 {
			t.Errorf("%d dead letters for 10 events", dead.count.Load())
		}
		publish(t, c.Node(0), "orders", 10)
		settle()
		c.Network.Heal()
		await(t, nodes(c, 3), "orders", "node-1", "node-2")
		before := len(b.all())
		publish(t, c.Node(0), "orders", 10)
		settle()
		if got := len(a.all()); got != 30 {
			t.Errorf("the one on this side got %d events", got)
		}
		if got := len(b.all()) - before; got != 10 {
			t.Errorf("after the split the one on the other side got %d events", got)
		}
	}, dead.option())
}

func TestWhatCannotBeDecodedIsCountedAndBuried(t *testing.T) {
	t.Run("by one", func(t *testing.T) { testUndecodable(t, 1) })
	t.Run("by two", func(t *testing.T) { testUndecodable(t, 2) })
}

func testUndecodable(t *testing.T, subscribers int) {
	var dead letters
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		one, s := subscribe(t, c.Node(1), "orders")
		wants := map[*Subscription]uint64{s: 3}
		for range subscribers - 1 {
			_, same := subscribe(t, c.Node(1), "orders")
			wants[same] = 3
		}
		_, local := subscribe(t, c.Node(0), "orders")
		wants[local] = 1
		await(t, nodes(c, 1), "orders", "node-0", "node-1")
		err := Of[Cancelled](c.Node(0), "orders").Publish(t.Context(), Cancelled{"why not"})
		if err != nil {
			t.Error(err)
		}
		damaged := actor.Delivery{Path: "topic:orders", Message: "topic.Placed", ContentType: "application/msgpack", Payload: []byte{0xc1}}
		if err := c.Node(0).Send("node-1", damaged); err != nil {
			t.Error(err)
		}
		damaged.ContentType = "application/unknown"
		if err := c.Node(0).Send("node-1", damaged); err != nil {
			t.Error(err)
		}
		settle()
		for s, want := range wants {
			if got := s.Stats(); got != (Stats{Undecodable: want}) {
				t.Errorf("%+v, want %d", got, want)
			}
		}
		if got := dead.count.Load(); got != 4 {
			t.Errorf("%d dead letters for 4 times that an event came to a node", got)
		}
		publish(t, c.Node(0), "orders", 5)
		settle()
		one.want(t, "the subscriber", 5)
	}, dead.option())
}

func TestStrangeMessagesDisturbNobody(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		r, _ := subscribe(t, c.Node(1), "orders")
		await(t, nodes(c, 1), "orders", "node-1")
		for _, path := range []string{"topic:orders", "topic:", "topic:orders.*", "topic:" + strings.Repeat("x", 1000), "topic:a..b"} {
			for _, message := range []string{"", "@", "!@", "~g@T", "!,,@T", "!" + strings.Repeat("g,", 1000), "@g"} {
				if err := c.Node(0).Send("node-1", actor.Delivery{Path: path, Message: message}); err != nil {
					t.Error(err)
				}
			}
		}
		publish(t, c.Node(0), "orders", 5)
		settle()
		r.want(t, "the subscriber", 5)
		if _, err := actor.Resolve[struct{}](c.Node(0).System(), "topic:///orders"); actor.CodeOf(err) != actor.InvalidArgument {
			t.Errorf("a Ref to a topic: %v", err)
		}
	})
}

func TestAnAnnouncementThatCannotBeReadIsPassedOver(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		r, _ := subscribe(t, c.Node(0), "orders")
		if err := c.Node(1).Announce(extensionName, []byte("..\n")); err != nil {
			t.Fatal(err)
		}
		settle()
		publish(t, c.Node(0), "orders", 5)
		settle()
		r.want(t, "the subscriber", 5)
		await(t, nodes(c, 1), "orders", "node-0")
	})
}

func TestManyTopicsAreAnnouncedTogether(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		const count = 2000
		r := new(recorder)
		for i := range count {
			if _, err := Of[Placed](c.Node(0), fmt.Sprintf("room.%d", i)).Subscribe(t.Context(), r.handle); err != nil {
				t.Fatal(err)
			}
		}
		await(t, []*cluster.Node{c.Node(1)}, fmt.Sprintf("room.%d", count-1), "node-0")
		for i := range count {
			publishOne(t, c.Node(1), fmt.Sprintf("room.%d", i), i)
		}
		settle()
		spread(t, count, r)
	})
}

func TestTooManyTopicsAreRefused(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		x := extensionOf(n)
		_, s := subscribe(t, n, "first")
		x.mu.Lock()
		x.size = maxInterests - 1
		x.mu.Unlock()
		_, err := Of[Placed](n, "one.more").Subscribe(t.Context(), new(recorder).handle)
		wantCode(t, "one more", err, actor.ResourceExhausted)
		subscribe(t, n, "first") // is no other topic
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRoutesAreNotRememberedForEver(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		x := extensionOf(n)
		for i := range maxRoutes + 100 {
			publishOne(t, n, fmt.Sprintf("order.%d", i), i)
		}
		if got := x.table.Load().count.Load(); got > 200 {
			t.Errorf("%d routes are remembered", got)
		}
	})
}

func TestSubscribersMayComeAndGoWhileEventsArePublished(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		const count = 2000
		r, _ := subscribe(t, c.Node(1), "orders")
		await(t, nodes(c, 1), "orders", "node-1")
		var busy sync.WaitGroup
		for i := range 4 {
			n := c.Node(i % 2)
			busy.Go(func() {
				for range 50 {
					_, s := subscribe(t, n, "orders.>", Group(fmt.Sprint("g", i)))
					_, o := subscribe(t, n, "orders")
					<-time.After(time.Millisecond)
					if err := errors.Join(s.Stop(t.Context()), o.Stop(t.Context())); err != nil {
						t.Error(err)
					}
				}
			})
		}
		busy.Go(func() {
			for i := range count {
				publishOne(t, c.Node(0), "orders", i)
				if i%20 == 0 {
					<-time.After(time.Millisecond)
				}
			}
		})
		busy.Wait()
		settle()
		r.want(t, "the one that stayed", count)
		await(t, nodes(c, 2), "orders", "node-1")
	})
}
