package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/troupe-go/troupe/cluster/topic"
)

const publishers = 64

// BenchmarkDurableTopic has 64 callers publish, each an event after the other, on all of the
// nodes: to a durable topic of Troupe, over TLS, and to a stream of NATS JetStream, without,
// that is kept by as many servers, in files that are synced always. Both are one log.
//
// It does so without anybody who subscribes, and with one consumer, for which it reports the
// time from before Publish until the handler has the event.
func BenchmarkDurableTopic(b *testing.B) {
	for _, members := range []int{1, 3} {
		b.Run(fmt.Sprint(members, " members"), func(b *testing.B) {
			each := 50 * publishers
			ours, theirs := durableTopics(b, members), jetStreams(b, members)
			publishOurs := func() { publish(b, each, ours.publish) }
			publishTheirs := func() { publish(b, each, theirs.publish) }
			b.Run("publish", func(b *testing.B) {
				report(b, each, inTurns(b, publishOurs, publishTheirs))
			})
			ours.subscribe(b)
			theirs.subscribe(b)
			b.Run("to a consumer", func(b *testing.B) {
				report(b, each, inTurns(b,
					func() { ours.through(b, each, publishOurs) },
					func() { theirs.through(b, each, publishTheirs) }))
				ours.latencies.report(b, "troupe")
				theirs.latencies.report(b, "jetstream")
			})
		})
	}
}

func report(b *testing.B, each int, medians []time.Duration) {
	rate := func(d time.Duration) float64 { return float64(each) / d.Seconds() }
	b.ReportMetric(rate(medians[0]), "troupe-events/s")
	b.ReportMetric(rate(medians[1]), "jetstream-events/s")
	b.ReportMetric(rate(medians[0])/rate(medians[1]), "of-jetstream")
}

// publish has the callers publish so many events, each of which says when that began.
func publish(b *testing.B, events int, one func(caller int, data []byte) error) {
	var started atomic.Int64
	var wg sync.WaitGroup
	for caller := range publishers {
		wg.Go(func() {
			for started.Add(1) <= int64(events) {
				data := make([]byte, noteSize)
				binary.LittleEndian.PutUint64(data, uint64(time.Now().UnixNano()))
				if err := one(caller, data); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// arrivals are what a consumer has got.
type arrivals struct {
	waiting   chan struct{}
	left      atomic.Int64
	latencies latencies
}

func (a *arrivals) note(data []byte) {
	if a.left.Load() <= 0 {
		return // of a time before
	}
	a.latencies.add(time.Duration(time.Now().UnixNano() - int64(binary.LittleEndian.Uint64(data))))
	if a.left.Add(-1) == 0 {
		a.waiting <- struct{}{}
	}
}

// through publishes, and waits until all has come.
func (a *arrivals) through(b *testing.B, events int, publish func()) {
	a.left.Store(int64(events))
	publish()
	select {
	case <-a.waiting:
	case <-time.After(time.Minute):
		b.Fatalf("%d events have not come", a.left.Load())
	}
}

type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

func (l *latencies) report(b *testing.B, whose string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.all)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(l.all[len(l.all)*p/100])/1e6, fmt.Sprintf("%s-p%d-ms", whose, p))
	}
}

// side is a topic or a stream, as each of the nodes or servers has it.
type side[T any] struct {
	arrivals
	all  []T
	send func(at T, data []byte) error
	sub  func(b *testing.B, at T, note func(data []byte))
}

func (s *side[T]) publish(caller int, data []byte) error {
	return s.send(s.all[caller%len(s.all)], data)
}

// subscribe adds a consumer of what will be published, on the last of the nodes.
func (s *side[T]) subscribe(b *testing.B) {
	s.waiting = make(chan struct{}, 1)
	s.sub(b, s.all[len(s.all)-1], s.note)
}

func durableTopics(b *testing.B, members int) *side[*topic.Topic[Note]] {
	s := &side[*topic.Topic[Note]]{
		send: func(at *topic.Topic[Note], data []byte) error { return at.Publish(background, Note{Data: data}) },
		sub: func(b *testing.B, at *topic.Topic[Note], note func([]byte)) {
			_, err := at.Subscribe(background, func(_ context.Context, e topic.Event[Note]) error {
				note(e.Value.Data)
				return nil
			}, topic.Group("bench"), topic.From(topic.End()), topic.Window(1024))
			must(b, err)
		},
	}
	for _, n := range nodes(b, members) {
		s.all = append(s.all, topic.Of[Note](n, "durable", topic.Durable()))
	}
	must(b, s.send(s.all[0], make([]byte, noteSize)))
	return s
}

func jetStreams(b *testing.B, members int) *side[jetstream.JetStream] {
	s := &side[jetstream.JetStream]{
		send: func(at jetstream.JetStream, data []byte) error {
			_, err := at.Publish(background, "durable", data)
			return err
		},
		sub: func(b *testing.B, at jetstream.JetStream, note func([]byte)) {
			c, err := at.CreateConsumer(background, "durable", jetstream.ConsumerConfig{
				Durable: "bench", AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
				MaxAckPending: 1024,
			})
			must(b, err)
			consuming, err := c.Consume(func(m jetstream.Msg) {
				note(m.Data())
				_ = m.Ack()
			})
			must(b, err)
			b.Cleanup(consuming.Stop)
		},
	}
	for _, server := range jetStreamServers(b, members) {
		js, err := jetstream.New(natsClient(b, server))
		must(b, err)
		s.all = append(s.all, js)
	}
	config := jetstream.StreamConfig{Name: "durable", Subjects: []string{"durable"}, Storage: jetstream.FileStorage, Replicas: members}
	var err error
	for range 100 { // until the servers have a leader
		if _, err = s.all[0].CreateStream(background, config); err == nil {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	must(b, err)
	return s
}

func jetStreamServers(b *testing.B, members int) (all []*server.Server) {
	dir := b.TempDir()
	var routes []*url.URL
	for range members {
		u := freeURL(b)
		u.Scheme = "nats"
		routes = append(routes, &u)
	}
	for i := range members {
		o := natsOptions(i)
		o.JetStream, o.StoreDir, o.SyncAlways = true, filepath.Join(dir, fmt.Sprint(i)), true
		if members > 1 {
			o.Cluster = server.ClusterOpts{Name: "bench", Host: "127.0.0.1", Port: port(b, routes[i])}
			o.Routes = routes
		}
		all = append(all, startNATS(b, o))
	}
	for _, s := range all {
		if !s.ReadyForConnections(10 * time.Second) {
			b.Fatal("a NATS server does not start")
		}
	}
	return all
}

func port(b *testing.B, u *url.URL) int {
	n, err := strconv.Atoi(u.Port())
	must(b, err)
	return n
}
