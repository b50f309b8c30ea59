package mailbox_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/mailbox"
)

// Each benchmark measures a floor in the same run, a plain Go program that does
// only what cannot be left out, and reports the ratio as x-floor. Absolute times
// are noise on a shared machine.

// compare measures ours and floor in alternation, n operations in all for each.
func compare(b *testing.B, ours, floor func(n int)) {
	b.Helper()
	b.ReportAllocs()
	b.StopTimer()
	var floorTime time.Duration
	const rounds = 4
	for done := range rounds {
		n := b.N*(done+1)/rounds - b.N*done/rounds
		runtime.GC()
		start := time.Now()
		floor(n)
		floorTime += time.Since(start)
		runtime.GC()
		b.StartTimer()
		ours(n)
		b.StopTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(floorTime), "x-floor")
}

// message is as large as the envelope of an actor's message.
type message struct {
	_      any
	number int
}

func BenchmarkPushPop(b *testing.B) {
	for name, depth := range map[string]int{"one": 1, "batch": 20} {
		b.Run(name, func(b *testing.B) {
			q := mailbox.NewUnbounded[message]()
			channel := make(chan message, depth)
			compare(b, func(n int) {
				for ; n > 0; n -= depth {
					for range depth {
						_ = q.TryPush(message{number: n})
					}
					for range depth {
						q.Pop()
					}
				}
			}, func(n int) {
				for ; n > 0; n -= depth {
					for range depth {
						channel <- message{number: n}
					}
					for range depth {
						<-channel
					}
				}
			})
		})
	}
}

// inbox is a queue whose turns are scheduled.
type inbox struct {
	queue     *mailbox.Unbounded[message]
	scheduled atomic.Bool
	schedule  func(mailbox.Task) bool
	handle    func(message)
}

func newInbox(schedule func(mailbox.Task) bool, handle func(message)) *inbox {
	return &inbox{queue: mailbox.NewUnbounded[message](), schedule: schedule, handle: handle}
}

func (i *inbox) tell(number int) {
	_ = i.queue.TryPush(message{number: number})
	i.wake()
}

func (i *inbox) wake() {
	if i.scheduled.CompareAndSwap(false, true) {
		i.schedule(i)
	}
}

func (i *inbox) Run() {
	for range 300 {
		m, ok := i.queue.Pop()
		if !ok {
			break
		}
		i.handle(m)
	}
	i.scheduled.Store(false)
	if i.queue.Len() > 0 {
		i.wake()
	}
}

func BenchmarkTellFromOutside(b *testing.B) {
	s := mailbox.NewScheduler()
	defer stopBench(b, s)
	compare(b, func(n int) {
		done := make(chan struct{})
		i := newInbox(s.Schedule, func(m message) {
			if m.number == n-1 {
				close(done)
			}
		})
		for v := range n {
			i.tell(v)
		}
		if n > 0 {
			<-done
		}
	}, func(n int) {
		channel, done := make(chan message, 1024), make(chan struct{})
		go func() {
			defer close(done)
			for range channel {
			}
		}()
		for v := range n {
			channel <- message{number: v}
		}
		close(channel)
		<-done
	})
}

func BenchmarkPingPong(b *testing.B) {
	s := mailbox.NewScheduler()
	defer stopBench(b, s)
	p := newBarePool()
	defer p.stop()
	compare(b,
		func(n int) { pingPong(n, s.Schedule) },
		func(n int) { pingPong(n, p.schedule) })
}

// pingPong sends a message to and fro between two tasks n times.
func pingPong(n int, schedule func(mailbox.Task) bool) {
	done := make(chan struct{})
	var ping, pong *inbox
	handler := func(other **inbox) func(message) {
		return func(m message) {
			if m.number >= n {
				close(done)
				return
			}
			(*other).tell(m.number + 1)
		}
	}
	ping, pong = newInbox(schedule, handler(&pong)), newInbox(schedule, handler(&ping))
	ping.tell(0)
	<-done
}

func BenchmarkRequestReply(b *testing.B) {
	s := mailbox.NewScheduler()
	defer stopBench(b, s)
	compare(b, func(n int) {
		replies := make(chan message, 1)
		i := newInbox(s.Schedule, func(m message) { replies <- m })
		for v := range n {
			i.tell(v)
			<-replies
		}
	}, func(n int) {
		requests, replies := make(chan message, 1), make(chan message, 1)
		go func() {
			for m := range requests {
				replies <- m
			}
		}()
		for v := range n {
			requests <- message{number: v}
			<-replies
		}
		close(requests)
	})
}

func BenchmarkRequestReplyOf64(b *testing.B) {
	s := mailbox.NewScheduler()
	defer stopBench(b, s)
	p := newBarePool()
	defer p.stop()
	compare(b,
		func(n int) { manyCallers(n, s.Schedule) },
		func(n int) { manyCallers(n, p.schedule) })
}

// manyCallers makes n requests to one task from 64 goroutines.
func manyCallers(n int, schedule func(mailbox.Task) bool) {
	var replies [64]chan message
	for c := range replies {
		replies[c] = make(chan message, 1)
	}
	i := newInbox(schedule, func(m message) { replies[m.number] <- m })
	var callers sync.WaitGroup
	for c := range replies {
		callers.Go(func() {
			for range n / len(replies) {
				i.tell(c)
				<-replies[c]
			}
		})
	}
	callers.Wait()
}

func stopBench(b *testing.B, s *mailbox.Scheduler) {
	if err := s.Stop(context.Background()); err != nil {
		b.Error(err)
	}
}

// barePool is the floor of a scheduler: one runner and a linked queue under a
// mutex.
type barePool struct {
	mu          sync.Mutex
	filled      sync.Cond
	first, last *link
	stopped     bool
	done        chan struct{}
}

type link struct {
	task mailbox.Task
	next *link
}

func newBarePool() *barePool {
	p := &barePool{done: make(chan struct{})}
	p.filled.L = &p.mu
	go p.run()
	return p
}

func (p *barePool) schedule(t mailbox.Task) bool {
	l := &link{task: t}
	p.mu.Lock()
	if p.first == nil {
		p.first = l
	} else {
		p.last.next = l
	}
	p.last = l
	p.mu.Unlock()
	p.filled.Signal()
	return true
}

func (p *barePool) run() {
	defer close(p.done)
	for {
		p.mu.Lock()
		for p.first == nil && !p.stopped {
			p.filled.Wait()
		}
		l := p.first
		if l == nil {
			p.mu.Unlock()
			return
		}
		p.first = l.next
		p.mu.Unlock()
		l.task.Run()
	}
}

func (p *barePool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.filled.Signal()
	<-p.done
}
