package eventlog

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Events that wait for a retry, or behind one that does, stop nobody else, however many or
// large they are.
func TestEventsThatWaitHoldNobodyUp(t *testing.T) {
	for name, c := range map[string]struct {
		events, size, together int
		key                    func(i int) string
	}{
		"large, each with a key":      {60, 100 << 10, 1, func(i int) string { return fmt.Sprint("slow-", i) }},
		"large, without a key":        {60, 100 << 10, 1, func(int) string { return "" }},
		"large, of one key":           {60, 100 << 10, 1, func(int) string { return "slow" }},
		"of the largest size":         {8, MaxEventSize - 100, 1, func(int) string { return "" }},
		"many small ones, of one key": {12_000, 10, 500, func(int) string { return "slow" }},
		"many small ones, each alone": {12_000, 10, 500, func(int) string { return "" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{}, func(t *testing.T, p *Partition) {
				const after = 20
				attempts := map[Offset]int{}
				in := join(t, p.Events, ConsumerConfig{Window: 5000})
				handled := make(chan Offset, after)
				var slow []Offset
				done := make(chan struct{})
				go func() {
					defer close(done)
					for d := range in.arrived {
						attempts[d.Offset]++
						if d.Attempt != attempts[d.Offset] || len(d.Payload) == 0 || d.Offset <= Offset(c.events) && len(d.Payload) != c.size {
							t.Errorf("event %d has %d bytes, and comes as attempt %d for the time %d", d.Offset, len(d.Payload), d.Attempt, attempts[d.Offset])
						}
						if d.Offset <= Offset(c.events) && d.Attempt == 1 && (d.Key == "" || d.Key != "slow" || d.Offset == 1) {
							slow = append(slow, d.Offset)
							if err := in.Nack(d.Tag, 2*time.Minute, errors.New("not yet")); err != nil {
								t.Error(err)
							}
							continue
						}
						if d.Offset > Offset(c.events) {
							handled <- d.Offset
						}
						if err := in.Ack(d.Tag); err != nil {
							t.Error(err)
						}
					}
				}()
				batch := make([]Event, 0, c.together)
				for i := range c.events {
					batch = append(batch, Event{Key: c.key(i), Payload: make([]byte, c.size)})
					if len(batch) == c.together {
						appendAll(t, p, batch...)
						batch = batch[:0]
					}
				}
				for i := range after {
					appendAll(t, p, Event{Key: fmt.Sprint("quick-", i), Payload: []byte("x")})
				}
				<-time.After(30 * time.Second)
				synctest.Wait()
				if len(handled) != after {
					t.Errorf("%d of %d events of other keys were delivered", len(handled), after)
				}
				p.mu.Lock()
				if g := p.Events.groups["billing"]; g.bytes > maxLoadedBytes+2*MaxEventSize {
					t.Errorf("%d KiB are loaded, of events that wait", g.bytes>>10)
				}
				p.mu.Unlock()
				<-time.After(3 * time.Minute)
				synctest.Wait()
				if info := p.Events.Inspect().Groups[0]; info.Lag != 0 || info.Redelivered != uint64(len(slow)) || info.Err != nil {
					t.Errorf("%+v, after all retries of %d events", info, len(slow))
				}
				in.Leave(nil)
				synctest.Wait()
				close(in.arrived)
				<-done
			})
		})
	}
}

// An event that waits for a retry is kept in memory by its name only, and is read again
// when it is due, also when the store fails meanwhile.
func TestARetryIsReadAgainWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: newStore(t)}
		p := openPartition(t, Config{Store: store})
		in := join(t, p.Events, ConsumerConfig{AckDeadline: time.Hour})
		for range 60 {
			appendAll(t, p, Event{ID: "", Header: map[string]string{"trace": "7"}, Type: "T", Payload: make([]byte, 100<<10)})
			synctest.Wait()
			d := in.next(t)
			must(t, in.Nack(d.Tag, time.Minute, nil))
		}
		store.failing(func(method string) fault {
			if method == "List" {
				return failed
			}
			return fine
		})
		<-time.After(90 * time.Second)
		synctest.Wait()
		if info := p.Events.Inspect().Groups[0]; info.Err == nil {
			t.Errorf("%+v, want the reason why nothing is delivered", info)
		}
		store.failing(nil)
		got := map[Offset]bool{}
		for len(got) < 60 {
			d := in.next(t)
			if d.Attempt != 2 || d.Type != "T" || d.Header["trace"] != "7" || len(d.Payload) != 100<<10 {
				t.Fatalf("event %d comes back as %+v", d.Offset, d.Event.Type)
			}
			got[d.Offset] = true
			in.ack(t, d)
		}
		synctest.Wait()
		if info := p.Events.Inspect().Groups[0]; info.Lag != 0 || info.Err != nil {
			t.Errorf("%+v", info)
		}
	})
}

// Inspect says what a group waits for.
func TestInspectSaysWhatAGroupWaitsFor(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Name: "node-1"})
		began := time.Now()
		appendAll(t, p, keyed("a", "a", "b", "c", "c", "c")...)
		got := in.want(t, 1, 3, 4)
		<-time.After(time.Second)
		retry := time.Now().Add(time.Hour)
		must(t, in.Nack(got[0].Tag, time.Hour, nil))
		must(t, in.Nack(got[1].Tag, 2*time.Hour, nil))
		info := p.Events.Inspect().Groups[0]
		if info.Retrying != 2 || !info.NextRetry.Equal(retry) || info.Blocked != 3 {
			t.Errorf("%+v, want 2 that wait until %v, and 3 behind others", info, retry)
		}
		if c := info.Consumers[0]; c.Delivered != 1 || !c.Since.Equal(began) {
			t.Errorf("%+v, want one that has been delivered at %v", c, began)
		}
	})
}
