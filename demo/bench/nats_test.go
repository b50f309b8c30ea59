package bench

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/troupe-go/troupe/cluster/topic"
)

// Note is an event.
type Note struct{ Data []byte }

const (
	noteSize = 128
	window   = 8192 // events on their way
)

// BenchmarkLiveTopic publishes events on one of three nodes to subscribers on all of them:
// by a topic of Troupe, over TLS, and by core NATS, with three servers, and without.
func BenchmarkLiveTopic(b *testing.B) {
	for _, c := range []struct{ subscribers, events int }{{1, 100_000}, {100, 5000}} {
		b.Run(fmt.Sprint("to ", c.subscribers), func(b *testing.B) {
			deliveries := c.subscribers * c.events
			ours := newCounter(deliveries)
			topics := noteTopics(b, 3, c.subscribers, ours)
			theirs := newCounter(deliveries)
			publisher := natsSubscribed(b, 3, c.subscribers, theirs)
			note := Note{Data: make([]byte, noteSize)}
			medians := inTurns(b,
				func() {
					for i := range c.events {
						// NATS holds its publishers up; a topic tells them.
						for int64(i*c.subscribers)-ours.arrived() > int64(window*c.subscribers) {
							<-time.After(50 * time.Microsecond)
						}
						if err := topics.Publish(background, note); err != nil {
							b.Fatal(err) // must costs as much as the rest
						}
					}
					ours.wait(b)
				},
				func() {
					for range c.events {
						if err := publisher.Publish("notes", note.Data); err != nil {
							b.Fatal(err)
						}
					}
					must(b, publisher.Flush())
					theirs.wait(b)
				})
			rate := func(d time.Duration) float64 { return float64(deliveries) / d.Seconds() }
			b.ReportMetric(rate(medians[0]), "troupe-events/s")
			b.ReportMetric(rate(medians[1]), "nats-events/s")
			b.ReportMetric(rate(medians[0])/rate(medians[1]), "of-nats")
		})
	}
}

// counter waits until so many events have come.
type counter struct {
	each int64
	left atomic.Int64
	done chan struct{}
}

func newCounter(each int) *counter {
	c := &counter{each: int64(each), done: make(chan struct{}, 1)}
	c.left.Store(c.each)
	return c
}

func (c *counter) note() {
	if c.left.Add(-1) == 0 {
		c.left.Store(c.each)
		c.done <- struct{}{}
	}
}

// arrived returns how many have come of those that are waited for.
func (c *counter) arrived() int64 { return c.each - c.left.Load() }

func (c *counter) wait(b *testing.B) {
	select {
	case <-c.done:
	case <-time.After(time.Minute):
		b.Fatalf("%d events have not come", c.left.Load())
	}
}

// noteTopics returns the topic as the first of so many nodes has it. Its subscribers are on
// all of them, but a single one is on another node.
func noteTopics(b *testing.B, members, subscribers int, count *counter) *topic.Topic[Note] {
	all := nodes(b, members)
	for i := range subscribers {
		n := all[(i+1)%members]
		_, err := topic.Of[Note](n, "notes").Subscribe(background, func(context.Context, topic.Event[Note]) error {
			count.note()
			return nil
		}, topic.Buffer(1<<20))
		must(b, err)
	}
	t := topic.Of[Note](all[0], "notes")
	must(b, all[0].Await(background, func() bool { return len(t.Interested()) >= min(subscribers, members) }))
	return t
}

// natsSubscribed returns a client of the first of so many servers, which are a cluster. The
// subscribers are clients of all of them, but a single one is that of another.
func natsSubscribed(b *testing.B, members, subscribers int, count *counter) *nats.Conn {
	servers := natsCluster(b, members)
	for i := range subscribers {
		c := natsClient(b, servers[(i+1)%members])
		s, err := c.Subscribe("notes", func(*nats.Msg) { count.note() })
		must(b, err)
		must(b, s.SetPendingLimits(-1, -1))
		_, err = c.Subscribe("ready", func(m *nats.Msg) { _ = m.Respond(nil) })
		must(b, err)
		must(b, c.Flush())
	}
	publisher := natsClient(b, servers[0])
	for ready := 0; ready < subscribers; { // interest travels among the servers, too
		inbox := publisher.NewRespInbox()
		replies, err := publisher.SubscribeSync(inbox)
		must(b, err)
		must(b, publisher.PublishRequest("ready", inbox, nil))
		for ready = 0; ready < subscribers; ready++ {
			if _, err := replies.NextMsg(200 * time.Millisecond); err != nil {
				break
			}
		}
		must(b, replies.Unsubscribe())
	}
	return publisher
}

func natsClient(b *testing.B, s *server.Server) *nats.Conn {
	c, err := nats.Connect(s.ClientURL())
	must(b, err)
	b.Cleanup(c.Close)
	return c
}

// natsCluster starts servers that route to each other.
func natsCluster(b *testing.B, members int) (all []*server.Server) {
	for i := range members {
		o := natsOptions(i)
		if members > 1 {
			o.Cluster = server.ClusterOpts{Name: "bench", Host: "127.0.0.1", Port: -1}
			if i > 0 {
				o.Routes = []*url.URL{{Scheme: "nats", Host: all[0].ClusterAddr().String()}}
			}
		}
		s := startNATS(b, o)
		if !s.ReadyForConnections(10 * time.Second) {
			b.Fatal("a NATS server does not start")
		}
		all = append(all, s)
	}
	return all
}

func natsOptions(i int) *server.Options {
	return &server.Options{ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, MaxPending: 1 << 30}
}

func startNATS(b *testing.B, o *server.Options) *server.Server {
	s, err := server.NewServer(o)
	must(b, err)
	s.Start()
	b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}
