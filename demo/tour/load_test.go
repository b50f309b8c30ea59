package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestLoadCountsAnswersAndFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := actor.Errorf(actor.Unavailable, "gone")
		turn := make(chan int, 1)
		turn <- 0
		o := load(t.Context(), 4, times(100), func(context.Context) (Done, error) {
			n := <-turn
			turn <- n + 1
			<-time.After(time.Second)
			switch {
			case n == 50:
				return Done{}, errors.New("another reason")
			case n%10 == 0:
				return Done{}, broken
			}
			return Done{Node: "a"}, nil
		})
		if len(o.latencies) != 100 || o.answers["a"] != 90 || len(o.failures) != 10 {
			t.Errorf("%d calls, answers %v, failures %v", len(o.latencies), o.answers, o.failures)
		}
		if o.unavailable() != 9 {
			t.Errorf("%d unavailable", o.unavailable())
		}
		if o.took != 25*time.Second || o.perSecond() != 4 {
			t.Errorf("took %v, %d/s", o.took, o.perSecond())
		}
	})
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := load(ctx, 2, func() bool { return true }, func(ctx context.Context) (Done, error) {
		cancel()
		<-ctx.Done()
		return Done{}, ctx.Err()
	})
	if len(o.failures) == 0 || len(o.answers) > 0 {
		t.Errorf("%+v", o)
	}
}

func TestPercentiles(t *testing.T) {
	var o outcome
	if o.percentile(50) != 0 {
		t.Error("of no calls:", o.percentile(50))
	}
	for i := range 100 {
		o.latencies = append(o.latencies, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := o.percentile(p); got != want {
			t.Errorf("p%v = %d, want %d", p, got, want)
		}
	}
}

func TestMostPerAskerFindsTheUnluckiest(t *testing.T) {
	o := outcome{failures: []failure{{asker: 1}, {asker: 2}, {asker: 1}}}
	if n := o.mostPerAsker(); n != 2 {
		t.Error(n)
	}
	if n := (outcome{}).mostPerAsker(); n != 0 {
		t.Error(n)
	}
}
