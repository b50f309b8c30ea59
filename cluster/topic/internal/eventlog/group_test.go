package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// keyed returns events with those keys.
func keyed(keys ...string) []Event {
	events := make([]Event, len(keys))
	for i, k := range keys {
		events[i] = Event{Key: k, Payload: []byte(k)}
	}
	return events
}

// bubble runs a test with a partition on virtual time.
func bubble(t *testing.T, config Config, f func(t *testing.T, p *Partition)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config.Store = newStore(t)
		f(t, openPartition(t, config))
	})
}

func TestEveryGroupGetsEveryEvent(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, numbered(0, 3)...)
		a := join(t, p.Events, ConsumerConfig{Group: "a"})
		b := join(t, p.Events, ConsumerConfig{Group: "b", From: End()})
		c := join(t, p.Events, ConsumerConfig{Group: "c", From: AtOffset(2)})
		appendAll(t, p, numbered(3, 2)...)
		a.want(t, 1, 2, 3, 4, 5)
		b.want(t, 4, 5)
		for _, d := range c.want(t, 2, 3, 4, 5) {
			if d.Attempt != 1 || string(d.Payload) != fmt.Sprint(d.Offset-1) {
				t.Errorf("delivered %+v", d)
			}
		}
	})
}

func TestConsumersOfAGroupShareItsEvents(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, numbered(0, 100)...)
		a := join(t, p.Events, ConsumerConfig{Window: 10})
		b := join(t, p.Events, ConsumerConfig{Window: 10})
		seen := map[Offset]int{}
		for _, in := range []*inbox{a, b} {
			synctest.Wait()
			if len(in.arrived) != 10 {
				t.Fatalf("%d deliveries, want a window of 10", len(in.arrived))
			}
		}
		for len(seen) < 100 {
			for _, in := range []*inbox{a, b} {
				d := in.next(t)
				seen[d.Offset]++
				in.ack(t, d)
			}
		}
		synctest.Wait()
		a.none(t)
		b.none(t)
		info := p.Events.Inspect().Groups[0]
		if info.Lag != 0 || info.Position != 101 || len(info.Consumers) != 2 {
			t.Errorf("%+v", info)
		}
	})
}

func TestEventsOfAKeyWaitForEachOther(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, keyed("a", "a", "b", "", "", "a", "b")...)
		in := join(t, p.Events, ConsumerConfig{})
		got := in.want(t, 1, 3, 4, 5)
		synctest.Wait()
		in.none(t)
		in.ack(t, got[1])
		in.ack(t, got[2], got[3], in.want(t, 7)[0])
		must(t, in.Nack(got[0].Tag, time.Minute, nil))
		synctest.Wait()
		in.none(t) // the key waits with its event
		<-time.After(time.Minute)
		d := in.want(t, 1)[0]
		if d.Attempt != 2 {
			t.Errorf("attempt %d", d.Attempt)
		}
		in.ack(t, d)
		in.ack(t, in.want(t, 2)...)
		in.want(t, 6)
	})
}

func TestDeadlineGivesTheEventToAnotherConsumer(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		slow := join(t, p.Events, ConsumerConfig{AckDeadline: time.Second})
		appendAll(t, p, keyed("a", "a")...)
		late := slow.want(t, 1)
		fast := join(t, p.Events, ConsumerConfig{AckDeadline: time.Second})
		<-time.After(time.Second)
		d := fast.want(t, 1)[0]
		if d.Attempt != 2 {
			t.Errorf("attempt %d, want 2", d.Attempt)
		}
		appendAll(t, p, keyed("b", "c", "d")...)
		fast.want(t, 3, 4, 5)
		synctest.Wait()
		slow.none(t) // it was late, and there is another
		if err := slow.Ack(late[0].Tag); !errors.Is(err, ErrNotDelivered) {
			t.Errorf("a late Ack: %v, want ErrNotDelivered", err)
		}
		appendAll(t, p, keyed("e")...)
		slow.want(t, 6) // it is back, and has more room
		fast.ack(t, d)
		slow.want(t, 2)
	})
}

func TestAConsumerThatExtendsKeepsWhatItHas(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{AckDeadline: time.Second})
		other := join(t, p.Events, ConsumerConfig{AckDeadline: time.Second, Window: 1})
		appendAll(t, p, keyed("a", "b", "c")...)
		synctest.Wait()
		had := len(in.arrived)
		for len(other.arrived) > 0 {
			other.ack(t, <-other.arrived)
			synctest.Wait()
		}
		for range 5 {
			<-time.After(900 * time.Millisecond)
			in.Extend()
		}
		if n := p.Events.Inspect().Groups[0].Redelivered; n != 0 || had == 0 {
			t.Errorf("%d of %d events were delivered again", n, had)
		}
		<-time.After(1100 * time.Millisecond)
		synctest.Wait()
		if n := p.Events.Inspect().Groups[0].Redelivered; n == 0 {
			t.Error("nothing was given to the other consumer after the deadline")
		}
		in.Extend()
		for _, c := range p.Events.Inspect().Groups[0].Consumers {
			if c.Window == 64 && c.Late {
				t.Error("a consumer that is back is late")
			}
		}
	})
}

func TestTheOnlyConsumerGetsItsLateEventsAgain(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Window: 1, AckDeadline: time.Second})
		appendAll(t, p, numbered(0, 2)...)
		for attempt := range 3 {
			if d := in.want(t, 1)[0]; d.Attempt != attempt+1 {
				t.Errorf("attempt %d, want %d", d.Attempt, attempt+1)
			}
			<-time.After(time.Second)
		}
		synctest.Wait()
		if n := p.Events.Inspect().Groups[0].Redelivered; n != 3 {
			t.Errorf("%d redeliveries, want 3", n)
		}
	})
}

func TestWhoLeavesIsRelievedAtOnce(t *testing.T) {
	for _, cause := range []error{nil, errors.New("its node is gone")} {
		bubble(t, Config{}, func(t *testing.T, p *Partition) {
			first := join(t, p.Events, ConsumerConfig{})
			second := join(t, p.Events, ConsumerConfig{Window: 1})
			appendAll(t, p, keyed("a", "b", "c", "a")...)
			synctest.Wait()
			mine, before := <-second.arrived, len(first.arrived)
			first.Leave(cause)
			first.Leave(nil)
			second.ack(t, mine)
			got := map[Offset]int{}
			for range 3 {
				d := second.next(t)
				got[d.Offset] = d.Attempt
				second.ack(t, d)
			}
			delete(got, 4)
			if len(got) != 2 || got[mine.Offset] != 0 {
				t.Errorf("after %d, delivered %v", mine.Offset, got)
			}
			for o, attempt := range got {
				if attempt != 2 {
					t.Errorf("event %d: attempt %d, want 2", o, attempt)
				}
			}
			if len(first.arrived) != before {
				t.Error("one who has left gets events")
			}
			if err := first.Ack(1); !errors.Is(err, ErrNotDelivered) {
				t.Errorf("Ack by one who has left: %v", err)
			}
		})
	}
}

func TestGroupWaitsForAConsumer(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Window: 4})
		appendAll(t, p, keyed("a", "a", "", "", "", "", "")...)
		got := in.want(t, 1, 3, 4, 5)
		in.ack(t, got[1])
		in.want(t, 6)
		in.Leave(nil)
		synctest.Wait()
		if info := p.Events.Inspect().Groups[0]; info.Lag != 6 || info.Position != 1 {
			t.Errorf("%+v, want 6 events and position 1", info)
		}
		in = join(t, p.Events, ConsumerConfig{})
		var attempts []int
		for _, d := range in.want(t, 1, 4, 5, 6, 7) {
			attempts = append(attempts, d.Attempt)
		}
		if !slices.Equal(attempts, []int{2, 2, 2, 2, 1}) {
			t.Errorf("attempts %d", attempts)
		}
	})
}

func TestTooManyFailuresMakeADeadLetter(t *testing.T) {
	cause := errors.New("no such customer")
	for want, test := range map[string]struct {
		fail     func(in *inbox, d Delivery)
		attempts int
	}{
		cause.Error(): {func(in *inbox, d Delivery) { _ = in.Nack(d.Tag, 0, cause) }, 3},
		// Only what is known to have begun counts.
		"it was not acknowledged in time":         {func(*inbox, Delivery) { <-time.After(time.Second) }, 5},
		"its consumer was lost: " + cause.Error(): {func(in *inbox, _ Delivery) { in.Leave(cause) }, 5},
	} {
		bubble(t, Config{}, func(t *testing.T, p *Partition) {
			config := ConsumerConfig{MaxAttempts: 3, AckDeadline: time.Second, Window: 1}
			appendAll(t, p, Event{ID: "i", Key: "a", Type: "t", Payload: []byte("poison")}, Event{Key: "a"})
			in := join(t, p.Events, config)
			for range test.attempts {
				d := in.want(t, 1)[0]
				in.begin(t, d)
				test.fail(in, d)
				if in.left {
					in = join(t, p.Events, config)
				}
			}
			in.ack(t, in.want(t, 2)...) // its key goes on
			dead := join(t, p.DeadLetters, ConsumerConfig{}).want(t, 1)[0]
			if dead.Dead == nil || *dead.Dead != (DeadLetter{"billing", 1, test.attempts, want}) {
				t.Errorf("dead letter %+v, want error %q", dead.Dead, want)
			}
			if dead.ID != "i" || dead.Key != "a" || dead.Type != "t" || string(dead.Payload) != "poison" {
				t.Errorf("the dead letter is %+v", dead.Event)
			}
			if info := p.Events.Inspect().Groups[0]; info.DeadLetters != 1 || info.Lag != 0 {
				t.Errorf("%+v", info)
			}
		})
	}
}

func TestRejectedEventIsADeadLetterAtOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, keyed("a", "a")...)
		in := join(t, p.Events, ConsumerConfig{})
		must(t, in.Reject(in.want(t, 1)[0].Tag, errors.New("not JSON")))
		in.want(t, 2)
		dead := join(t, p.DeadLetters, ConsumerConfig{MaxAttempts: 1})
		d := dead.want(t, 1)[0]
		must(t, dead.Nack(d.Tag, 0, nil)) // for dead letters there is no last attempt
		d = dead.want(t, 1)[0]
		must(t, dead.Reject(d.Tag, nil))
		synctest.Wait()
		dead.none(t)
		if info := p.DeadLetters.Inspect(); info.Next != 2 || info.Groups[0].Lag != 0 {
			t.Errorf("%+v", info)
		}
	})
}

func TestSlowKeyDoesNotStopTheOthers(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Window: 10})
		appendAll(t, p, keyed("slow")...)
		slow := in.want(t, 1)[0]
		for i := range 1000 {
			appendAll(t, p, keyed("slow", fmt.Sprint(i%7))...)
			in.ack(t, in.want(t, Offset(3+2*i))...)
		}
		in.ack(t, slow)
		for i := range 1000 {
			in.ack(t, in.want(t, Offset(2+2*i))...)
		}
	})
}

func TestGroupStopsLoadingWhereItHasTooMuch(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Window: 10})
		events := make([]Event, 500)
		for i := range events {
			events[i].Key = "slow"
		}
		for range 2 * maxLoaded / len(events) {
			appendAll(t, p, events...)
		}
		appendAll(t, p, keyed("fast")...)
		slow := in.want(t, 1)[0]
		synctest.Wait()
		in.none(t)
		g := p.Events.groups["billing"]
		if n := len(g.loaded); n < maxLoaded || n > maxLoaded+1000 {
			t.Errorf("%d events are loaded", n)
		}
		in.ack(t, slow)
		for range 2 * maxLoaded {
			in.ack(t, in.next(t))
		}
		synctest.Wait()
		if info := p.Events.Inspect().Groups[0]; info.Lag != 0 {
			t.Errorf("%+v", info)
		}
	})
}

// With real time and many goroutines, for the race detector.
func TestManyPublishersAndConsumers(t *testing.T) {
	const publishers, each = 8, 100
	p := openPartition(t, Config{Store: newStore(t)})
	var mu sync.Mutex
	last := map[string]int{} // by key
	through := make(chan struct{})
	count := 0
	handle := func(c *Consumer, d Delivery) {
		var n int
		_, _ = fmt.Sscan(string(d.Payload), &n)
		mu.Lock()
		if n != last[d.Key]+1 || d.Attempt != 1 {
			t.Errorf("event %d of key %q comes after %d", n, d.Key, last[d.Key])
		}
		last[d.Key] = n
		mu.Unlock()
		if err := c.Ack(d.Tag); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if count++; count == publishers*each {
			close(through)
		}
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var handling sync.WaitGroup
			defer handling.Wait()
			_, err := p.Events.Join(context.Background(), ConsumerConfig{Group: "g", Window: 7, Deliver: func(c *Consumer, deliveries []Delivery) {
				for _, d := range deliveries {
					handling.Go(func() { handle(c, d) })
				}
			}})
			if err != nil {
				t.Error(err)
			}
			<-through
		})
	}
	for publisher := range publishers {
		wg.Go(func() {
			for i := range each {
				_, err := p.Events.Append(context.Background(), []Event{{Key: fmt.Sprint(publisher), Payload: fmt.Append(nil, i+1)}})
				if err != nil {
					t.Error(err)
				}
				p.Events.Inspect()
			}
		})
	}
	wg.Wait()
}

func TestExtendedDeliveriesStayWithTheirConsumer(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{AckDeadline: time.Second})
		appendAll(t, p, numbered(0, 3)...)
		got := in.want(t, 1, 2, 3)
		for range 5 {
			<-time.After(900 * time.Millisecond)
			in.Extend()
		}
		in.ack(t, got[0])
		<-time.After(900 * time.Millisecond)
		synctest.Wait()
		in.none(t)
		<-time.After(100 * time.Millisecond)
		for range 2 {
			if d := in.next(t); d.Attempt != 2 {
				t.Errorf("event %d comes with attempt %d, want 2", d.Offset, d.Attempt)
			}
		}
	})
}
