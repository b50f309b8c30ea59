package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/mailbox"
)

// Load is told, with a payload.
type Load struct {
	actor.Cast[Worker]
	From string
	N    int
	Data []byte
}

// loader keeps the numbers that come, by their sender; it begins when its gate opens.
type loader struct {
	gate chan struct{}

	mu  sync.Mutex
	got map[string][]int
}

func newLoader() *loader { return &loader{gate: make(chan struct{}), got: make(map[string][]int)} }

func (l *loader) load(_ *actor.Context, m Load) error {
	<-l.gate
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got[m.From] = append(l.got[m.From], m.N)
	return nil
}

func (l *loader) echo(_ *actor.Context, m Echo) ([]byte, error) {
	<-l.gate
	return m.Text, nil
}

func (l *loader) from(sender string) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got[sender])
}

func (l *loader) spawn(t testing.TB, on, by *cluster.Node, options ...actor.DefineOption) actor.Ref[Worker] {
	t.Helper()
	ref, err := actor.Spawn(on.System(), actor.Define("loader", func() *loader { return l },
		actor.OnCast((*loader).load), actor.OnCall((*loader).echo)).With(options...), actor.WithUniqueName())
	if err != nil {
		t.Fatal(err)
	}
	return refFor(t, by, ref)
}

func inOrder(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// both runs a test with the actor on the node of its sender, and on another one.
func both(t *testing.T, test func(t *testing.T, b *bench, on, by *cluster.Node)) {
	for i, place := range []string{"here", "there"} {
		t.Run(place, func(t *testing.T) {
			b := newBench()
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) { test(t, b, c.Node(i), c.Node(0)) },
				cluster.WithActors(actor.WithDeadLetters(b.deadLetter)))
		})
	}
}

func TestABurstByTellContextLosesNothing(t *testing.T) {
	for name, options := range map[string][]actor.DefineOption{
		"without a bound": nil,
		"one that blocks": {actor.BoundedMailbox(10, mailbox.Block)},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench, on, by *cluster.Node) {
				const senders, each = 4, 2_500
				l := newLoader()
				close(l.gate)
				ref := l.spawn(t, on, by, options...)
				var all sync.WaitGroup
				for s := range senders {
					all.Go(func() {
						m := Load{From: fmt.Sprint(s), Data: make([]byte, 1<<10)}
						for m.N = range each {
							if err := actor.TellContext(t.Context(), ref, m); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				<-time.After(time.Second)
				for s := range senders {
					if got := l.from(fmt.Sprint(s)); !slices.Equal(got, inOrder(each)) {
						t.Errorf("%d of %d arrived, or in another order", len(got), each)
					}
				}
				if dead := b.deadLetters(); len(dead) != 0 {
					t.Errorf("%d dead letters, such as %+v", len(dead), dead[0])
				}
			})
		})
	}
}

func TestAFullMailboxThatBlocksMeansTheSameEverywhere(t *testing.T) {
	both(t, func(t *testing.T, b *bench, on, by *cluster.Node) {
		l := newLoader()
		ref := l.spawn(t, on, by, actor.BoundedMailbox(10, mailbox.Block))
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		began := time.Now()
		m := Load{Data: make([]byte, 1<<10)}
		var err error
		for err == nil {
			if err = actor.TellContext(ctx, ref, m); err == nil {
				m.N++
			}
		}
		if wantCode(t, "TellContext", err, actor.DeadlineExceeded); !actor.AsError(err).NotRun || !errors.Is(err, why) {
			t.Errorf("%+v", actor.AsError(err))
		}
		if took := time.Since(began); took < time.Minute || took > time.Minute+time.Second {
			t.Error("it waited", took)
		}
		if m.N > 12<<10 { // what is under way when it becomes full, and a window
			t.Errorf("%d KiB wait for an actor that handles none", m.N)
		}
		err = actor.Tell(ref, m)
		if wantCode(t, "Tell", err, actor.ResourceExhausted); !actor.AsError(err).NotRun {
			t.Errorf("%+v", err)
		}
		began = time.Now()
		_, err = actor.Ask(within(t, time.Minute), ref, Echo{})
		wantCode(t, "Ask", err, actor.DeadlineExceeded)
		if took := time.Since(began); took < time.Minute || took > time.Minute+time.Second {
			t.Error("it waited", took)
		}

		waited := make(chan error, 2)
		go func() { waited <- actor.TellContext(context.Background(), ref, m) }()
		go func() { _, err := actor.Ask(context.Background(), ref, Echo{}); waited <- err }()
		synctest.Wait()
		close(l.gate)
		for range cap(waited) {
			if err := <-waited; err != nil {
				t.Error(err)
			}
		}
		<-time.After(time.Second)
		if got := l.from(""); !slices.Equal(got, inOrder(m.N+1)) {
			t.Errorf("%d of %d arrived, or in another order", len(got), m.N+1)
		}
		if dead := b.deadLetters(); len(dead) != 0 {
			t.Errorf("%d dead letters, such as %+v", len(dead), dead[0])
		}
	})
}

// What a sender asks comes after what it told before.
func TestARequestDoesNotOvertakeWhatWaitsForRoom(t *testing.T) {
	both(t, func(t *testing.T, b *bench, on, by *cluster.Node) {
		l := newLoader()
		ref := l.spawn(t, on, by, actor.BoundedMailbox(2, mailbox.Block))
		const told = 20
		asked := make(chan int, 1)
		go func() {
			for n := range told {
				if err := actor.TellContext(t.Context(), ref, Load{N: n}); err != nil {
					t.Error(err)
				}
			}
			if _, err := actor.Ask(t.Context(), ref, Echo{}); err != nil {
				t.Error(err)
			}
			asked <- len(l.from(""))
		}()
		synctest.Wait()
		close(l.gate)
		if got := <-asked; got != told {
			t.Errorf("%d of %d were handled before the request", got, told)
		}
	})
}

func TestMailboxesThatDropStillDrop(t *testing.T) {
	for _, overflow := range []mailbox.Overflow{mailbox.Reject, mailbox.DropOldest} {
		t.Run(overflow.String(), func(t *testing.T) {
			both(t, func(t *testing.T, b *bench, on, by *cluster.Node) {
				l := newLoader()
				ref := l.spawn(t, on, by, actor.BoundedMailbox(5, overflow))
				const sent = 20
				refused := 0
				for n := range sent {
					if err := actor.TellContext(t.Context(), ref, Load{N: n}); err != nil {
						wantCode(t, "TellContext", err, actor.ResourceExhausted)
						refused++
					}
					synctest.Wait()
				}
				close(l.gate)
				<-time.After(time.Second)
				dead := b.deadLetters()
				if got := len(l.from("")); got != 6 || got+refused+len(dead) != sent {
					t.Errorf("%d arrived, %d were refused, %d are dead letters", got, refused, len(dead))
				}
				for _, d := range dead {
					if d.Reason.Code != actor.ResourceExhausted || !d.Reason.NotRun {
						t.Errorf("%+v", d)
					}
				}
			})
		})
	}
}

// One full actor beside 1,000 others: the others are asked as quickly as before.
func TestAFullActorHoldsUpNobodyElse(t *testing.T) {
	b := newBench()
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		var others []actor.Ref[Worker]
		for range 1000 {
			others = append(others, b.spawn(t, c.Node(1), c.Node(0), actor.WithUniqueName()))
		}
		c.Network.SetDelay(time.Millisecond, time.Millisecond)
		p99 := func() time.Duration {
			var mu sync.Mutex
			var took []time.Duration
			var all sync.WaitGroup
			for _, ref := range others {
				all.Go(func() {
					began := time.Now()
					if _, err := actor.Ask(t.Context(), ref, Where{}); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(began))
				})
			}
			all.Wait()
			slices.Sort(took)
			return took[len(took)*99/100]
		}
		p99() // connects
		before := p99()
		l := newLoader()
		full := l.spawn(t, c.Node(1), c.Node(0), actor.BoundedMailbox(10, mailbox.Block))
		var told atomic.Int64
		var stop atomic.Bool
		var senders sync.WaitGroup
		for range 50 {
			senders.Go(func() {
				for !stop.Load() {
					if err := actor.TellContext(t.Context(), full, Load{Data: make([]byte, 1<<10)}); err != nil {
						t.Error(err)
					}
					told.Add(1)
				}
			})
		}
		<-time.After(5 * time.Second)
		waiting := told.Load()
		for range 5 {
			if during := p99(); during > 2*before {
				t.Errorf("beside a full actor p99 is %v, before it was %v", during, before)
			}
		}
		if now := told.Load(); now != waiting {
			t.Errorf("the actor is not full: it got %d, then %d", waiting, now)
		}
		stop.Store(true)
		close(l.gate)
		senders.Wait()
		<-time.After(time.Second)
		if got := int64(len(l.from(""))); got != told.Load() {
			t.Errorf("%d of %d arrived", got, told.Load())
		}
	})
}

func TestWhatWaitsForAnActorThatStopsIsADeadLetter(t *testing.T) {
	b := newBench()
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		l := newLoader()
		ref := l.spawn(t, c.Node(1), c.Node(0), actor.BoundedMailbox(1, mailbox.Block))
		for n := range 10 {
			if err := actor.TellContext(t.Context(), ref, Load{N: n}); err != nil {
				t.Fatal(err)
			}
		}
		asked := make(chan error, 1)
		go func() { _, err := actor.Ask(t.Context(), ref, Echo{}); asked <- err }()
		synctest.Wait()
		stopped := make(chan error, 1)
		local, err := actor.Resolve[Worker](c.Node(1).System(), ref.String())
		if err != nil {
			t.Fatal(err)
		}
		go func() { stopped <- c.Node(1).System().StopActor(context.Background(), local) }()
		synctest.Wait()
		close(l.gate)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		wantCode(t, "Ask", <-asked, actor.NotFound)
		<-time.After(time.Second)
		if got, dead := len(l.from("")), len(b.deadLetters()); got != 1 || dead != 9 {
			t.Errorf("%d arrived, %d are dead letters", got, dead)
		}
		wantCode(t, "Ask", func() error { _, err := actor.Ask(t.Context(), ref, Echo{}); return err }(), actor.NotFound)
	}, cluster.WithActors(actor.WithDeadLetters(b.deadLetter)))
}

func TestSendersThatWaitFailWhenTheNodeIsLost(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		l := newLoader()
		defer close(l.gate)
		ref := l.spawn(t, c.Node(1), c.Node(0), actor.BoundedMailbox(10, mailbox.Block))
		failed := make(chan error, 10)
		for range cap(failed) {
			go func() {
				for {
					if err := actor.TellContext(t.Context(), ref, Load{Data: make([]byte, 10<<10)}); err != nil {
						failed <- err
						return
					}
				}
			}()
		}
		<-time.After(time.Minute)
		c.Crash(1)
		for range cap(failed) {
			wantCode(t, "TellContext", <-failed, actor.Unavailable)
		}
	})
}
