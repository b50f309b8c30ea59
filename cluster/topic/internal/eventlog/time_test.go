package eventlog

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// Times that are far away are times like others.
func TestFarTimesAreTimes(t *testing.T) {
	past := []time.Time{{}, time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MinInt64)}
	future := []time.Time{time.Unix(0, math.MaxInt64), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)}
	bubble(t, Config{Events: Limits{Age: math.MaxInt64}, DuplicateAge: math.MaxInt64}, func(t *testing.T, p *Partition) {
		for range 3 {
			appendAll(t, p, Event{})
		}
		first := func(at time.Time) Offset {
			in := join(t, p.Events, ConsumerConfig{Group: "new", From: AtTime(at)})
			defer func() {
				in.Leave(nil)
				must(t, p.Events.DeleteGroup(t.Context(), "new"))
			}()
			return p.Events.Inspect().Groups[0].Position
		}
		for _, at := range past {
			must(t, p.Events.Purge(t.Context(), AtTime(at)))
			if o := first(at); o != 1 || p.Events.Inspect().First != 1 {
				t.Errorf("a group that begins in %d begins at event %d, and the log at %d", at.Year(), o, p.Events.Inspect().First)
			}
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if x := p.Events.Inspect(); x.First != 1 {
			t.Errorf("an event that is kept for %v is gone after a minute: %+v", time.Duration(math.MaxInt64), x)
		}
		for _, at := range future {
			if o := first(at); o != 4 {
				t.Errorf("a group that begins in %d begins at event %d", at.Year(), o)
			}
		}
		must(t, p.Events.Purge(t.Context(), AtTime(future[1])))
		if x := p.Events.Inspect(); x.First != 4 {
			t.Errorf("a purge of all before the year 2300 leaves %+v", x)
		}
	})
}

func TestFarDeadlinesAreDeadlines(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{AckDeadline: math.MaxInt64})
		appendAll(t, p, keyed("a", "b")...)
		got := in.want(t, 1, 2)
		must(t, in.Nack(got[0].Tag, math.MaxInt64, nil))
		<-time.After(time.Minute)
		in.Extend()
		<-time.After(time.Minute)
		synctest.Wait()
		in.none(t)
		in.ack(t, got[1])
	})
}
