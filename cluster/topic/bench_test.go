package topic

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
)

// window is how many events may be under way: whoever publishes waits for those who
// handle, as nothing else slows it down.
const window = 4096

// flow counts what is handled, and holds up whoever is too far ahead.
type flow struct {
	handled atomic.Int64
	wake    chan struct{}
}

func newFlow() *flow { return &flow{wake: make(chan struct{}, 1)} }

func (f *flow) handle() {
	if f.handled.Add(1)%(window/8) == 0 {
		f.signal()
	}
}

func (f *flow) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// await returns when at most ahead of the sent ones are not handled.
func (f *flow) await(sent, ahead int64) {
	for sent-f.handled.Load() > ahead {
		select {
		case <-f.wake:
		case <-time.After(time.Millisecond): // the last ones signal nothing
		}
	}
}

// publishAll publishes n events, each for so many subscribers, and waits until all are
// handled.
func publishAll(b *testing.B, f *flow, n, subscribers int, publish func() error) {
	f.handled.Store(0)
	each := int64(subscribers)
	for i := range int64(n) {
		if i%64 == 0 {
			f.await(i*each, window*each)
		}
		if err := publish(); err != nil {
			b.Fatal(err)
		}
	}
	f.await(int64(n)*each, 0)
}

// compare runs work on b's clock, and as much of the floor, and reports the ratio.
func compare(b *testing.B, deliveries int, work, floor func(n int)) {
	work(1000) // routes are known, links are up
	floor(1000)
	b.ReportAllocs()
	b.ResetTimer()
	work(b.N)
	b.StopTimer()
	start := time.Now()
	floor(b.N)
	b.ReportMetric(float64(b.Elapsed())/float64(time.Since(start)), "x-floor")
	b.ReportMetric(float64(b.N*deliveries)/b.Elapsed().Seconds()/1e6, "M-deliveries/s")
}

// joinAll returns so many nodes on loopback that know each other.
func joinAll(b *testing.B, count int) []*cluster.Node {
	b.Helper()
	dir := b.TempDir()
	var all []*cluster.Node
	for i := range count {
		n, err := cluster.Join(b.Context(), cluster.WithName(fmt.Sprintf("bench-%d", i)), cluster.WithStateDir(dir),
			cluster.WithEnvironment(func(string) string { return "" }), cluster.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Leave(context.Background()) })
		all = append(all, n)
	}
	return all
}

func benchSubscribe[T any](b *testing.B, n *cluster.Node, f *flow) {
	b.Helper()
	_, err := Of[T](n, "orders").Subscribe(b.Context(), func(context.Context, Event[T]) error {
		f.handle()
		return nil
	}, Buffer(4*window))
	if err != nil {
		b.Fatal(err)
	}
}

func publisher[T any](b *testing.B, n *cluster.Node, event T) func() error {
	orders := Of[T](n, "orders")
	return func() error { return orders.Publish(b.Context(), event) }
}

// The floor is a channel.
func BenchmarkOneToOneOnANode(b *testing.B) {
	n := joinAll(b, 1)[0]
	f := newFlow()
	benchSubscribe[Placed](b, n, f)
	publish := publisher(b, n, Placed{"somebody", 7})
	compare(b, 1, func(n int) { publishAll(b, f, n, 1, publish) }, func(n int) { overChannel(n) })
}

func overChannel(n int) {
	c := make(chan *Event[Placed], window)
	var handling sync.WaitGroup
	handling.Go(func() {
		for range c {
		}
	})
	for range n {
		c <- new(Event[Placed])
	}
	close(c)
	handling.Wait()
}

// The floor is a TCP connection that carries the bytes, with their length before them.
func BenchmarkOneToOneBetweenNodes(b *testing.B) {
	b.Run("16 bytes", func(b *testing.B) { oneToOne(b, make([]byte, 16), 16) })
	b.Run("struct", func(b *testing.B) { oneToOne(b, Placed{"somebody", 7}, 24) })
	b.Run("1 KiB", func(b *testing.B) { oneToOne(b, make([]byte, 1<<10), 1<<10) })
}

func oneToOne[T any](b *testing.B, event T, size int) {
	all := joinAll(b, 2)
	f := newFlow()
	benchSubscribe[T](b, all[1], f)
	awaitInterest[T](b, all[0], "bench-1")
	publish := publisher(b, all[0], event)
	floor := newBareTCP(b, 1, 1)
	compare(b, 1, func(n int) { publishAll(b, f, n, 1, publish) }, func(n int) { floor.run(n, size) })
}

// The floor is a TCP connection to each other node, and channels there.
func BenchmarkOneToAHundredOnThreeNodes(b *testing.B) {
	all := joinAll(b, 3)
	f := newFlow()
	for i := range 100 {
		benchSubscribe[[]byte](b, all[i%3], f)
	}
	awaitInterest[[]byte](b, all[0], "bench-0", "bench-1", "bench-2")
	publish := publisher(b, all[0], make([]byte, 16))
	floor := newBareTCP(b, 3, 33)
	compare(b, 100, func(n int) { publishAll(b, f, n, 100, publish) }, func(n int) { floor.run(n, 16) })
}

func awaitInterest[T any](b *testing.B, n *cluster.Node, want ...string) {
	b.Helper()
	if err := n.Await(b.Context(), func() bool { return slices.Equal(Of[T](n, "orders").Interested(), want) }); err != nil {
		b.Fatal(err)
	}
}

// bareTCP is connections whose receivers hand what comes to channels.
type bareTCP struct {
	writers  []*bufio.Writer
	handlers int
	done     chan struct{}
}

func newBareTCP(b *testing.B, receivers, handlers int) *bareTCP {
	b.Helper()
	t := &bareTCP{handlers: handlers, done: make(chan struct{}, receivers)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	for range receivers {
		out, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		in, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = out.Close(); _ = in.Close() })
		t.writers = append(t.writers, bufio.NewWriterSize(out, 64<<10))
		go t.receive(bufio.NewReaderSize(in, 64<<10))
	}
	return t
}

// receive hands on what comes until the connection is closed. A length of 0 ends a run.
func (t *bareTCP) receive(r *bufio.Reader) {
	var channels []chan []byte
	var handling sync.WaitGroup
	for {
		high, err := r.ReadByte()
		if err != nil {
			return
		}
		low, err := r.ReadByte()
		if err != nil {
			return
		}
		size := int(high)<<8 | int(low)
		if size == 0 {
			for _, c := range channels {
				close(c)
			}
			handling.Wait()
			channels = nil
			t.done <- struct{}{}
			continue
		}
		for len(channels) < t.handlers {
			c := make(chan []byte, window)
			channels = append(channels, c)
			handling.Go(func() {
				for range c {
				}
			})
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return
		}
		for _, c := range channels {
			c <- data
		}
	}
}

func (t *bareTCP) run(n, size int) {
	data := make([]byte, size)
	for range n {
		for _, w := range t.writers {
			_, _ = w.Write([]byte{byte(size >> 8), byte(size)})
			_, _ = w.Write(data)
		}
	}
	for _, w := range t.writers {
		_, _ = w.Write([]byte{0, 0})
		_ = w.Flush()
	}
	for range t.writers {
		<-t.done
	}
}
