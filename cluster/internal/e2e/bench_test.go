package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// pair is this process and a child that serves, as two nodes on loopback, and the
// floor between the same two.
type pair struct {
	child   *process
	targets map[string]actor.Ref[Worker]
	floor   *stream
}

func newPair(b *testing.B) *pair {
	b.Helper()
	dir := b.TempDir()
	child := node(b, "child", dir)
	b.Cleanup(child.quit) // and write its profiles
	child.do("serve")
	n, err := cluster.Join(b.Context(), cluster.WithName("bench"), cluster.WithStateDir(dir),
		cluster.WithEnvironment(func(string) string { return "" }), cluster.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := n.Leave(context.Background()); err != nil {
			b.Error(err)
		}
	})
	if err := n.Await(b.Context(), func() bool { return len(n.Instances("worker")) == 1 }); err != nil {
		b.Fatal(err)
	}
	ref, err := actor.Resolve[Worker](n.System(), "actor://child/worker")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", get[string](child, "floor"))
	if err != nil {
		b.Fatal(err)
	}
	p := &pair{
		child:   child,
		targets: map[string]actor.Ref[Worker]{"ref": ref, "service": cluster.Service[Worker](n, "worker")},
		floor:   newStream(conn),
	}
	b.Cleanup(p.floor.close)
	return p
}

// measure runs work on b's clock and the same amount on the floor, and reports
// the ratio and what the child allocated.
func (p *pair) measure(b *testing.B, work, floor func(n int)) {
	b.ReportAllocs()
	before := get[usage](p.child, "usage")
	b.ResetTimer()
	work(b.N)
	b.StopTimer()
	after := get[usage](p.child, "usage")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N), "peer-allocs/op")
	start := time.Now()
	floor(b.N)
	b.ReportMetric(float64(b.Elapsed())/float64(time.Since(start)), "x-floor")
}

// A tell is counted when its actor has handled it.
func BenchmarkTell(b *testing.B) {
	p := newPair(b)
	for _, size := range []int{16, 1 << 10} {
		for _, target := range []string{"ref", "service"} {
			b.Run(fmt.Sprintf("%dB/%s", size, target), func(b *testing.B) {
				p.measure(b,
					func(n int) { tell(b, p.targets[target], n, size) },
					func(n int) { p.tellFloor(n, size) })
			})
		}
	}
}

// tell sends n notes, and returns when they have been handled.
func tell(b *testing.B, to actor.Ref[Worker], n, size int) {
	note := Note{Data: make([]byte, size)}
	// An ask behind every stretch of notes keeps the link from overflowing.
	const stretch, stretches = 512, 8
	room := make(chan struct{}, stretches)
	var counting sync.WaitGroup
	count := func() {
		if _, err := actor.Ask(b.Context(), to, Count{}); err != nil {
			b.Error(err)
		}
	}
	for i := range n {
		if i%stretch == 0 {
			room <- struct{}{}
			counting.Go(func() {
				defer func() { <-room }()
				count()
			})
		}
		if err := actor.Tell(to, note); err != nil {
			b.Fatal(err)
		}
	}
	counting.Wait()
	count()
}

func (p *pair) tellFloor(n, size int) {
	payload := make([]byte, size)
	for range n {
		p.floor.send(told, 0, payload)
	}
	p.floor.ask(nil, make(chan []byte, 1))
}

func BenchmarkAsk(b *testing.B) {
	p := newPair(b)
	for _, askers := range []int{1, 64} {
		for _, size := range []int{16, 1 << 10} {
			for _, target := range []string{"ref", "service"} {
				b.Run(fmt.Sprintf("%d askers/%dB/%s", askers, size, target), func(b *testing.B) {
					p.measure(b,
						func(n int) { ask(b, p.targets[target], askers, n, size) },
						func(n int) { p.askFloor(askers, n, size) })
				})
			}
		}
	}
}

func ask(b *testing.B, to actor.Ref[Worker], askers, n, size int) {
	share(askers, n, func(next func() bool) {
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		defer cancel()
		ping := Ping{Data: make([]byte, size)}
		for next() {
			if _, err := actor.Ask(ctx, to, ping); err != nil {
				b.Error(err)
			}
		}
	})
}

func (p *pair) askFloor(askers, n, size int) {
	share(askers, n, func(next func() bool) {
		payload, waiter := make([]byte, size), make(chan []byte, 1)
		for next() {
			p.floor.ask(payload, waiter)
		}
	})
}

// share lets workers divide n operations among them.
func share(workers, n int, work func(next func() bool)) {
	var done atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { work(func() bool { return done.Add(1) <= int64(n) }) })
	}
	wg.Wait()
}
