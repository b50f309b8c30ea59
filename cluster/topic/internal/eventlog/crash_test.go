package eventlog

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestProgressSurvives(t *testing.T) {
	for _, clean := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newStore(t)
			p := openPartition(t, Config{Store: store})
			appendAll(t, p, keyed("a", "b", "a", "", "c", "", "")...)
			in := join(t, p.Events, ConsumerConfig{Window: 5})
			got := in.want(t, 1, 2, 4, 5, 6)
			in.ack(t, got[1], got[3])
			in.want(t, 7)
			must(t, in.Nack(got[2].Tag, 0, nil))
			again := in.want(t, 4)[0]
			must(t, in.Nack(again.Tag, time.Hour, nil))
			<-time.After(flushDelay)
			synctest.Wait()
			if clean {
				must(t, p.Close(t.Context()))
			} else {
				crash(p)
			}
			p = openPartition(t, Config{Store: store})
			if info := p.Events.Inspect().Groups[0]; info.Position != 1 || info.Lag != 5 {
				t.Errorf("%+v, want 5 events from 1 on", info)
			}
			appendAll(t, p, keyed("")...)
			in = join(t, p.Events, ConsumerConfig{})
			var attempts []int
			for _, d := range in.want(t, 1, 4, 6, 7, 8) {
				attempts = append(attempts, d.Attempt)
			}
			if attempts[1] < 3 {
				t.Errorf("event 4 had two attempts and has attempt %d now", attempts[1])
			}
			attempts[1] = 0
			if !slices.Equal(attempts, []int{2, 0, 2, 2, 1}) {
				t.Errorf("attempts %d", attempts)
			}
		})
	}
}

// What has come meanwhile has not been delivered, and is not said to be.
func TestOnlyWhatMayHaveBeenDeliveredIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		p := openPartition(t, Config{Store: store})
		join(t, p.Events, ConsumerConfig{Window: 1}).Leave(nil)
		appendAll(t, p, numbered(0, 5000)[:2500]...)
		in := join(t, p.Events, ConsumerConfig{Window: 1})
		in.ack(t, in.want(t, 1)...)
		in.want(t, 2)
		crash(p)
		p = openPartition(t, Config{Store: store})
		in = join(t, p.Events, ConsumerConfig{Window: 2500})
		marked := 0
		for o := range Offset(2499) {
			d := in.next(t)
			if d.Attempt > 1 {
				marked++
			} else if d.Offset <= 2 {
				t.Errorf("event %d comes again, and is not marked", d.Offset)
			}
			_ = o
		}
		if marked > 1100 {
			t.Errorf("%d of 2500 events are marked, of which 2 were delivered", marked)
		}
	})
}

// An event that ends the process is delivered with growing attempts, so that whoever
// gets it can reject it.
func TestAttemptsGrowFromCrashToCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		p := openPartition(t, Config{Store: store})
		appendAll(t, p, numbered(0, 1)...)
		for i := range 5 {
			in := join(t, p.Events, ConsumerConfig{MaxAttempts: 2})
			if d := in.want(t, 1)[0]; d.Attempt != i+1 {
				t.Errorf("attempt %d after %d crashes", d.Attempt, i)
			}
			crash(p)
			p = openPartition(t, Config{Store: store})
		}
	})
}

func TestAcknowledgementsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: newStore(t)}
		p := openPartition(t, Config{Store: store})
		in := join(t, p.Events, ConsumerConfig{Window: 100})
		appendAll(t, p, numbered(0, 100)...)
		synctest.Wait()
		before := store.count("Commit")
		for range 100 {
			in.ack(t, in.next(t))
			<-time.After(flushDelay / 1000)
		}
		synctest.Wait()
		<-time.After(flushDelay)
		synctest.Wait()
		if n := store.count("Commit") - before; n > 2 {
			t.Errorf("%d commits for 100 acknowledgements within %v", n, flushDelay)
		}
		crash(p)
		p = openPartition(t, Config{Store: store.Store})
		if info := p.Events.Inspect().Groups[0]; info.Lag != 0 {
			t.Errorf("%+v", info)
		}
	})
}

// An append whose outcome nobody knows is stored once, whatever becomes of it.
func TestLostAnswerStoresTheEventOnce(t *testing.T) {
	for _, what := range []fault{failed, unheard, pending} {
		for _, reopened := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				store := &faulty{Store: newStore(t)}
				p := openPartition(t, Config{Store: store})
				appendAll(t, p, numbered(0, 1)...)
				first := true
				store.failing(func(method string) fault {
					if method == "Commit" && first {
						first = false
						return what
					}
					return fine
				})
				_, err := p.Events.Append(t.Context(), numbered(1, 1))
				if !errors.Is(err, actor.Unavailable) || !errors.Is(err, errInjected) || actor.AsError(err).NotRun {
					t.Errorf("got %v, want what is Unavailable and may be done", err)
				}
				if reopened {
					crash(p)
					p = openPartition(t, Config{Store: store})
				}
				got := appendAll(t, p, numbered(1, 3)...)
				if !slices.Equal(got, []Offset{2, 3, 4}) {
					t.Errorf("offsets %d, want 2, 3 and 4", got)
				}
				in := join(t, p.Events, ConsumerConfig{})
				for i, d := range in.want(t, 1, 2, 3, 4) {
					if d.ID != numbered(i, 1)[0].ID {
						t.Errorf("event %d is %q", d.Offset, d.ID)
					}
				}
				synctest.Wait()
				in.none(t)
			})
		}
	}
}

func TestWhoWaitsDuringAnOutageIsToldSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: newStore(t)}
		p := openPartition(t, Config{Store: store})
		in := join(t, p.Events, ConsumerConfig{})
		store.failing(func(string) fault { return failed })
		begin := time.Now()
		_, first := p.Events.Append(t.Context(), numbered(0, 1))
		_, second := p.Events.Append(t.Context(), numbered(1, 1))
		third := p.Events.Purge(t.Context(), Start())
		for i, err := range []error{first, second, third} {
			if !errors.Is(err, actor.Unavailable) || actor.AsError(err).NotRun != (i > 0) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if waited := time.Since(begin); waited > 3*maxPause {
			t.Errorf("they waited for %v", waited)
		}
		store.failing(nil)
		<-time.After(maxPause)
		in.want(t, 1) // the first one was sent again until it was stored
		if got := appendAll(t, p, numbered(1, 1)...); got[0] != 2 {
			t.Errorf("offset %d, want 2", got[0])
		}
	})
}

// refusing is a store that is full.
type refusing struct {
	persistence.Store
	full atomic.Bool
}

func (r *refusing) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	if r.full.Load() {
		return 0, persistence.ErrFull
	}
	return r.Store.Commit(ctx, t)
}

func TestFullStoreRefusesAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &refusing{Store: newStore(t)}
		p := openPartition(t, Config{Store: store})
		in := join(t, p.Events, ConsumerConfig{MaxAttempts: 1})
		appendAll(t, p, numbered(0, 2)...)
		got := in.want(t, 1, 2)
		store.full.Store(true)
		in.ack(t, got[0])
		must(t, in.Nack(got[1].Tag, 0, nil)) // a dead letter, when there is room
		for range 3 {
			if _, err := p.Events.Append(t.Context(), numbered(9, 1)); !errors.Is(err, persistence.ErrFull) || !actor.AsError(err).NotRun {
				t.Errorf("Append: %v, want ErrFull and NotRun", err)
			}
		}
		store.full.Store(false)
		<-time.After(2 * maxPause)
		if got := appendAll(t, p, numbered(9, 1)...); got[0] != 3 {
			t.Errorf("offset %d, want 3", got[0])
		}
		in.want(t, 3)
		join(t, p.DeadLetters, ConsumerConfig{}).want(t, 1)
		if info := p.Events.Inspect().Groups[0]; info.DeadLetters != 1 || info.Lag != 1 {
			t.Errorf("%+v", info)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPartition(t, Config{Store: newStore(t)})
		in := join(t, p.Events, ConsumerConfig{})
		for range 10 {
			go func() { must(t, p.Close(context.Background())) }()
		}
		must(t, p.Close(t.Context()))
		<-p.Done()
		_, err := p.Events.Append(t.Context(), numbered(0, 1))
		_, joined := p.Events.Join(t.Context(), ConsumerConfig{Group: "g", Deliver: func(*Consumer, []Delivery) {}})
		_, read := p.Events.Read(t.Context(), 0, 1)
		for _, err := range []error{err, joined, read, p.Err(), in.Ack(1), p.Events.Purge(t.Context(), End())} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
		in.Leave(nil)
	})
}

func TestDrainWaitsForWhatWasDelivered(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Window: 2})
		appendAll(t, p, numbered(0, 5)...)
		had := in.want(t, 1, 2)
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			p.Drain(context.Background())
		}()
		synctest.Wait()
		in.ack(t, had[0])
		synctest.Wait()
		select {
		case <-drained:
			t.Error("Drain has not waited for the second delivery")
		default:
		}
		in.ack(t, had[1])
		<-drained
		synctest.Wait()
		in.none(t)
		appendAll(t, p, numbered(5, 1)...)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		p.Drain(ctx) // it is idempotent
	})
}

func TestCloseDoesNotWaitForAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: newStore(t)}
		p, err := Open(t.Context(), Config{Store: store, Name: "x"})
		must(t, err)
		appendAll(t, p, numbered(0, 1)...)
		store.failing(func(string) fault { return failed })
		if err := p.Close(t.Context()); !errors.Is(err, errInjected) {
			t.Errorf("Close: %v, want the error of the store", err)
		}
	})
}
