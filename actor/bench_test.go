package actor_test

import (
	"context"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

// Bench is the protocol of the benchmarks.
type Bench struct{}

// Tick is a message of one word.
type Tick struct {
	actor.Cast[Bench]
	N int
}

// Ball is passed on until N is 0.
type Ball struct {
	actor.Cast[Bench]
	N int
}

// Echo is answered with what it has.
type Echo struct {
	actor.Call[Bench, int]
	N int
}

// counter counts down what it is told.
type counter struct {
	countdown
	other actor.Ref[Bench]
}

func (c *counter) tick(*actor.Context, Tick) error { c.step(); return nil }

func (c *counter) tickPointer(*actor.Context, *TickPointer) error { c.step(); return nil }

// TickPointer is sent as a pointer, and so needs no allocation.
type TickPointer struct {
	actor.Cast[Bench]
	N int
}

func (c *counter) ball(_ *actor.Context, m *Ball) error {
	if m.N--; m.N <= 0 {
		c.done <- struct{}{}
		return nil
	}
	return actor.Tell(c.other, m)
}

func (c *counter) echo(_ *actor.Context, m Echo) (int, error) { return m.N, nil }

func spawnCounter(b *testing.B, system *actor.System) (actor.Ref[Bench], *counter) {
	b.Helper()
	c := &counter{countdown: countdown{done: make(chan struct{}, 1)}}
	ref, err := actor.Spawn(system, actor.Define("counter", func() *counter { return c },
		actor.OnCast((*counter).tick),
		actor.OnCast((*counter).tickPointer),
		actor.OnCast((*counter).ball),
		actor.OnCall((*counter).echo)), actor.WithUniqueName())
	if err != nil {
		b.Fatal(err)
	}
	return ref, c
}

func BenchmarkTell(b *testing.B) {
	b.Run("value", func(b *testing.B) {
		benchmarkTell(b, func(ref actor.Ref[Bench], n int) error { return actor.Tell(ref, Tick{N: n}) })
	})
	b.Run("pointer", func(b *testing.B) {
		m := &TickPointer{}
		benchmarkTell(b, func(ref actor.Ref[Bench], _ int) error { return actor.Tell(ref, m) })
	})
}

func benchmarkTell(b *testing.B, tell func(actor.Ref[Bench], int) error) {
	ref, c := spawnCounter(b, newSystem(b))
	pool := newBarePool()
	defer pool.stop()
	bare := &countdown{done: make(chan struct{}, 1)}
	q := &bareQueue{pool: pool, handle: func(*bareNode) { bare.step() }}
	compare(b, func(n int) {
		bare.left = n
		for i := range n {
			q.push(&bareNode{value: i})
		}
		<-bare.done
	}, func(n int) {
		c.left = n
		for i := range n {
			if err := tell(ref, i); err != nil {
				b.Fatal(err)
			}
		}
		<-c.done
	})
}

func BenchmarkTellFourToHundred(b *testing.B) {
	const senders, receivers = 4, 100
	system := newSystem(b)
	pool := newBarePool()
	defer pool.stop()
	var refs [receivers]actor.Ref[Bench]
	var counters [receivers]*counter
	var bares [receivers]*bareQueue
	for i := range receivers {
		refs[i], counters[i] = spawnCounter(b, system)
		bares[i] = &bareQueue{pool: pool}
	}
	// Each receiver gets n/receivers messages, rounded up, from all senders alike.
	share := func(n int) int { return (n + receivers - 1) / receivers }
	send := func(n int, to func(receiver, i int)) {
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range share(n) {
					for r := s; r < receivers; r += senders {
						to(r, i)
					}
				}
			})
		}
		wg.Wait()
	}
	compare(b, func(n int) {
		done := make([]countdown, receivers)
		for r := range done {
			done[r] = countdown{left: share(n), done: make(chan struct{}, 1)}
			bares[r].handle = func(*bareNode) { done[r].step() }
		}
		send(n, func(r, i int) { bares[r].push(&bareNode{value: i}) })
		for r := range done {
			<-done[r].done
		}
	}, func(n int) {
		for _, c := range counters {
			c.left = share(n)
		}
		send(n, func(r, i int) {
			if err := actor.Tell(refs[r], Tick{N: i}); err != nil {
				b.Error(err)
			}
		})
		for _, c := range counters {
			<-c.done
		}
	})
}

func BenchmarkPingPong(b *testing.B) {
	system := newSystem(b)
	ping, one := spawnCounter(b, system)
	pong, two := spawnCounter(b, system)
	one.other, two.other = pong, ping
	two.done = one.done

	pool := newBarePool()
	defer pool.stop()
	done := make(chan struct{}, 1)
	var left, right *bareQueue
	pass := func(to **bareQueue) func(*bareNode) {
		return func(n *bareNode) {
			n.next = nil
			if n.value--; n.value <= 0 {
				done <- struct{}{}
				return
			}
			(*to).push(n)
		}
	}
	left = &bareQueue{pool: pool, handle: pass(&right)}
	right = &bareQueue{pool: pool, handle: pass(&left)}
	compare(b, func(n int) {
		left.push(&bareNode{value: n})
		<-done
	}, func(n int) {
		if err := actor.Tell(ping, &Ball{N: n}); err != nil {
			b.Fatal(err)
		}
		<-one.done
	})
}

// bareServer answers requests on a channel, each on the channel it brings.
func bareServer(b *testing.B) chan<- *bareNode {
	requests := make(chan *bareNode)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := range requests {
			n.reply <- n.value
		}
	}()
	b.Cleanup(func() { close(requests); <-ended })
	return requests
}

func BenchmarkAsk(b *testing.B) {
	for _, with := range []string{"background", "deadline"} {
		b.Run(with, func(b *testing.B) {
			ctx := context.Background()
			if with == "deadline" {
				limited, cancel := context.WithTimeout(ctx, 1<<40)
				defer cancel()
				ctx = limited
			}
			ref, _ := spawnCounter(b, newSystem(b))
			server := bareServer(b)
			compare(b, func(n int) { bareAsks(ctx, server, n) }, func(n int) { asks(b, ctx, ref, n) })
		})
	}
}

// bareAsks asks n times, and watches ctx as an asker must.
func bareAsks(ctx context.Context, server chan<- *bareNode, n int) {
	request := &bareNode{reply: make(chan int)}
	done := ctx.Done()
	for i := range n {
		request.value = i
		server <- request
		if done == nil {
			<-request.reply
			continue
		}
		select {
		case <-request.reply:
		case <-done:
			return
		}
	}
}

func asks(b *testing.B, ctx context.Context, ref actor.Ref[Bench], n int) {
	for i := range n {
		if got, err := actor.Ask(ctx, ref, Echo{N: i}); err != nil || got != i {
			b.Error(got, err)
			return
		}
	}
}

func BenchmarkAskSixtyFour(b *testing.B) {
	const askers = 64
	ctx := context.Background()
	ref, _ := spawnCounter(b, newSystem(b))
	server := bareServer(b)
	each := func(n int, ask func(n int)) {
		var wg sync.WaitGroup
		for a := range askers {
			if share := (n + a) / askers; share > 0 {
				wg.Go(func() { ask(share) })
			}
		}
		wg.Wait()
	}
	compare(b,
		func(n int) { each(n, func(n int) { bareAsks(ctx, server, n) }) },
		func(n int) { each(n, func(n int) { asks(b, ctx, ref, n) }) })
}

// BenchmarkAskBesideBlocked asks one actor while a thousand others wait in their
// handlers.
func BenchmarkAskBesideBlocked(b *testing.B) {
	system := newSystem(b)
	blocked := make(chan struct{})
	defer close(blocked)
	entered := make(chan struct{})
	for range 1000 {
		ref := spawn(b, system, script{}, actor.WithUniqueName())
		run(b, ref, func(*actor.Context) error { entered <- struct{}{}; <-blocked; return nil })
		<-entered
	}
	ctx := context.Background()
	ref, _ := spawnCounter(b, system)
	server := bareServer(b)
	compare(b, func(n int) { bareAsks(ctx, server, n) }, func(n int) { asks(b, ctx, ref, n) })
}

// BenchmarkSpawn starts an actor and stops it; its floor is a goroutine that is
// told to end, and joined.
func BenchmarkSpawn(b *testing.B) {
	system := newSystem(b)
	d := actor.Define("idle", func() *counter { return &counter{} }, actor.OnCast((*counter).tick))
	ctx := context.Background()
	compare(b, func(n int) {
		for range n {
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() { <-stop; close(ended) }()
			close(stop)
			<-ended
		}
	}, func(n int) {
		for range n {
			ref, err := actor.Spawn(system, d)
			if err != nil {
				b.Fatal(err)
			}
			if err := system.StopActor(ctx, ref); err != nil {
				b.Fatal(err)
			}
		}
	})
}
