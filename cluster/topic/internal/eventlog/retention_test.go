package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// blocks returns how many records of events a log has.
func blocks(t *testing.T, l *Log) int {
	t.Helper()
	records, err := l.p.store.List(t.Context(), persistence.Query{Prefix: l.blockKeys, KeysOnly: true})
	must(t, err)
	return len(records)
}

func TestLogKeepsWhatItsLimitsSay(t *testing.T) {
	kib := make([]byte, 1<<10)
	for name, c := range map[string]struct {
		limits Limits
		least  Offset // of the first event that is kept, after 1000 of 1 KiB
		most   Offset
	}{
		"none":  {Limits{}, 1, 1},
		"count": {Limits{Count: 10}, 991, 991},
		"bytes": {Limits{Bytes: 100 << 10}, 900, 930},
		"both":  {Limits{Count: 500, Bytes: 100 << 10}, 900, 930},
		"age":   {Limits{Age: 100 * time.Second}, 890, 912},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{Events: c.limits}, func(t *testing.T, p *Partition) {
				for range 1000 {
					appendAll(t, p, Event{Payload: kib})
					<-time.After(time.Second)
				}
				synctest.Wait()
				info := p.Events.Inspect()
				if info.First < c.least || info.First > c.most || info.Next != 1001 {
					t.Errorf("the log has %d to %d; want the first between %d and %d", info.First, info.Next-1, c.least, c.most)
				}
				if n := blocks(t, p.Events); n > int(1001-info.First)+1 {
					t.Errorf("%d blocks for %d events", n, 1001-info.First)
				}
				events, err := p.Events.Read(t.Context(), 0, 1)
				must(t, err)
				if events[0].Offset != info.First {
					t.Errorf("the first event that is read is %d", events[0].Offset)
				}
			})
		})
	}
}

func TestOldEventsGoAlsoIfNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := Config{Store: newStore(t), Events: Limits{Age: time.Minute}}
		p := openPartition(t, config)
		for range 300 {
			appendAll(t, p, numbered(0, 2)[1:]...)
			appendAll(t, p, Event{})
		}
		must(t, p.Close(t.Context()))
		p = openPartition(t, config)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if info, n := p.Events.Inspect(), blocks(t, p.Events); info.First != 302 || n != 0 || info.Bytes != 0 {
			t.Errorf("%+v, and %d blocks are left", info, n)
		}
	})
}

func TestSlowGroupIsToldWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		config := Config{Store: store, Events: Limits{Count: 10}}
		p := openPartition(t, config)
		in := join(t, p.Events, ConsumerConfig{Window: 2})
		appendAll(t, p, Event{})
		first := in.want(t, 1)
		for range 99 {
			appendAll(t, p, Event{})
		}
		in.ack(t, first...)
		for d := in.next(t); d.Offset < 91; d = in.next(t) {
			in.ack(t, d)
		}
		synctest.Wait()
		missed := p.Events.Inspect().Groups[0].Missed
		if missed == 0 || missed > 90 {
			t.Errorf("the group has missed %d events", missed)
		}
		must(t, p.Close(t.Context()))
		p = openPartition(t, config)
		if again := p.Events.Inspect().Groups[0]; again.Missed != missed || again.Lag > 10 {
			t.Errorf("%+v after a restart, want %d missed", again, missed)
		}
	})
}

func TestFullLogRefusesUntilItsGroupsAreDone(t *testing.T) {
	for name, limits := range map[string]Limits{
		"count": {Count: 50, Refuse: true},
		"bytes": {Bytes: 5 << 10, Refuse: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{Events: limits}, func(t *testing.T, p *Partition) {
				in := join(t, p.Events, ConsumerConfig{Window: 1000})
				join(t, p.Events, ConsumerConfig{Group: "done", Window: 1000, From: End()})
				stored := 0
				var full error
				for full == nil {
					_, full = p.Events.Append(t.Context(), []Event{{ID: fmt.Sprint(stored), Payload: make([]byte, 100)}})
					if full == nil {
						stored++
					}
				}
				if !errors.Is(full, ErrFull) || !errors.Is(full, actor.ResourceExhausted) || !actor.AsError(full).NotRun {
					t.Fatalf("Append: %v, want ErrFull", full)
				}
				if stored < 30 || stored > 50 {
					t.Errorf("%d events fit", stored)
				}
				if got := appendAll(t, p, Event{ID: "0"}); got[0] != 1 {
					t.Errorf("an event that is there has offset %d", got[0])
				}
				for range 10 {
					in.ack(t, in.next(t))
				}
				<-time.After(2 * flushDelay)
				if _, err := p.Events.Append(t.Context(), []Event{{Payload: make([]byte, 200)}}); !errors.Is(err, ErrFull) {
					t.Errorf("Append while one group has yet to get all: %v", err)
				}
				must(t, p.Events.Seek(t.Context(), "done", End()))
				for i := range 10 {
					appendAll(t, p, Event{ID: fmt.Sprint("new", i), Payload: make([]byte, 100)})
				}
				if info := p.Events.Inspect(); info.First < 2 || info.First > 11 {
					t.Errorf("the first event is %d", info.First)
				}
			})
		})
	}
}

func TestPurgeRemovesWhatIsBefore(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		in := join(t, p.Events, ConsumerConfig{Window: 6})
		for i := range 500 {
			appendAll(t, p, Event{Key: fmt.Sprint(i % 5)})
		}
		got := in.want(t, 1, 2, 3, 4, 5)
		in.ack(t, got[4])
		in.want(t, 10)
		must(t, p.Events.Purge(t.Context(), AtOffset(5)))
		got = append(got, in.want(t, 6, 7, 8, 9)...)
		must(t, p.Events.Purge(t.Context(), AtOffset(400)))
		in.want(t, 400, 401, 402, 403, 404)
		synctest.Wait()
		if err := in.Ack(got[0].Tag); !errors.Is(err, ErrNotDelivered) {
			t.Errorf("Ack of what was purged: %v", err)
		}
		must(t, p.Events.Purge(t.Context(), Start()))
		must(t, p.Events.Purge(t.Context(), AtOffset(10)))
		must(t, p.Events.Purge(t.Context(), End()))
		<-time.After(time.Second)
		synctest.Wait()
		if info, n := p.Events.Inspect(), blocks(t, p.Events); info.First != 501 || n != 0 || info.Bytes != 0 || info.Groups[0].Lag != 0 {
			t.Errorf("%+v, %d blocks", info, n)
		}
		if got := appendAll(t, p, Event{}); got[0] != 501 {
			t.Errorf("offset %d, want 501", got[0])
		}
		in.want(t, 501)
	})
}

func TestSeekReplays(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		begin := time.Now()
		for range 100 {
			appendAll(t, p, Event{Key: "a"}, Event{})
			<-time.After(time.Second)
		}
		in := join(t, p.Events, ConsumerConfig{})
		last := in.want(t, 1)[0]
		for name, c := range map[string]struct {
			to   Position
			want Offset
		}{
			"start":           {Start(), 1},
			"zero":            {Position{}, 1},
			"an offset":       {AtOffset(100), 100},
			"past the end":    {AtOffset(1000), 201},
			"a time":          {AtTime(begin.Add(50 * time.Second)), 101},
			"between two":     {AtTime(begin.Add(50*time.Second + 1)), 103},
			"before all":      {AtTime(begin.Add(-time.Hour)), 1},
			"after all":       {AtTime(begin.Add(time.Hour)), 201},
			"the end, for it": {End(), 201},
		} {
			synctest.Wait()
			for len(in.arrived) > 0 {
				<-in.arrived
			}
			must(t, p.Events.Seek(t.Context(), "billing", c.to))
			if c.want == 201 {
				synctest.Wait()
				in.none(t)
			} else if d := in.want(t, c.want)[0]; d.Attempt != 1 {
				t.Errorf("%s: attempt %d, want 1", name, d.Attempt)
			}
			synctest.Wait()
			if err := in.Ack(last.Tag); !errors.Is(err, ErrNotDelivered) {
				t.Errorf("%s: Ack of what was before: %v", name, err)
			}
			crash(p)
			if p, in = openPartition(t, Config{Store: p.config.Store}), nil; p.Events.Inspect().Groups[0].Position != c.want {
				t.Errorf("%s: %+v, want %d", name, p.Events.Inspect(), c.want)
			}
			in = join(t, p.Events, ConsumerConfig{})
		}
		if err := p.Events.Seek(t.Context(), "nobody", Start()); !errors.Is(err, ErrNoGroup) {
			t.Errorf("Seek of no group: %v", err)
		}
	})
}

func TestGroupIsDeleted(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		appendAll(t, p, numbered(0, 3)...)
		in := join(t, p.Events, ConsumerConfig{})
		in.ack(t, in.want(t, 1, 2)...)
		if err := p.Events.DeleteGroup(t.Context(), "billing"); !errors.Is(err, ErrGroupInUse) {
			t.Errorf("DeleteGroup with a consumer: %v", err)
		}
		in.Leave(nil)
		must(t, p.Events.DeleteGroup(t.Context(), "billing"))
		if err := p.Events.DeleteGroup(t.Context(), "billing"); !errors.Is(err, ErrNoGroup) {
			t.Errorf("DeleteGroup of none: %v", err)
		}
		<-time.After(time.Second)
		crash(p)
		p = openPartition(t, Config{Store: p.config.Store})
		if groups := p.Events.Inspect().Groups; len(groups) != 0 {
			t.Errorf("groups %+v", groups)
		}
		join(t, p.Events, ConsumerConfig{}).want(t, 1, 2, 3)
	})
}

func TestGroupIsMadeOnceForAll(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, p *Partition) {
		results := make(chan error)
		for range 10 {
			go func() {
				_, err := p.Events.Join(t.Context(), ConsumerConfig{Group: "g", Deliver: func(*Consumer, []Delivery) {}})
				results <- err
			}()
		}
		for range 10 {
			must(t, <-results)
		}
		if g := p.Events.Inspect().Groups; len(g) != 1 || len(g[0].Consumers) != 10 {
			t.Errorf("%+v", g)
		}
		for _, c := range []ConsumerConfig{{}, {Group: "g"}, {Group: strings.Repeat("g", MaxKeySize+1)}, {Group: "g", Window: -1}} {
			if c.Group != "g" || c.Window < 0 {
				c.Deliver = func(*Consumer, []Delivery) {}
			}
			if _, err := p.Events.Join(t.Context(), c); !errors.Is(err, actor.InvalidArgument) {
				t.Errorf("Join(%+v): %v", c, err)
			}
		}
	})
}

func TestDamageIsAnErrorAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		p := openPartition(t, Config{Store: store})
		for range 10 {
			appendAll(t, p, Event{}, Event{}, Event{})
		}
		join(t, p.Events, ConsumerConfig{Group: "healthy", From: AtOffset(10)}).Leave(nil)
		join(t, p.Events, ConsumerConfig{Group: "broken"}).Leave(nil)
		must(t, p.Close(t.Context()))

		// A block is damaged, another is gone, and a group says nothing.
		view := p.store
		records, err := view.List(t.Context(), persistence.Query{Prefix: p.Events.blockKeys})
		must(t, err)
		damaged := slices.Clone(records[1].Value)
		damaged[1]++
		put := func(key string, value []byte) {
			_, err := persistence.Put(t.Context(), view, key, value)
			must(t, err)
		}
		put(records[1].Key, damaged)
		_, err = persistence.Delete(t.Context(), view, records[8].Key)
		must(t, err)
		put("group/events/broken", []byte("?"))

		p = openPartition(t, Config{Store: store})
		in := join(t, p.Events, ConsumerConfig{Group: "reader"})
		in.ack(t, in.want(t, 1, 2, 3)...)
		<-time.After(5 * readRetry)
		find := func(name string) GroupInfo {
			groups := p.Events.Inspect().Groups
			return groups[slices.IndexFunc(groups, func(g GroupInfo) bool { return g.Name == name })]
		}
		if g := find("reader"); !errors.Is(g.Err, ErrCorrupt) || g.Position != 4 {
			t.Errorf("a group at a damaged block: %+v", g)
		}
		put(records[1].Key, records[1].Value) // it goes on by itself
		in.ack(t, in.want(t, 4, 5, 6, 7, 8)...)
		healthy := join(t, p.Events, ConsumerConfig{Group: "healthy"})
		healthy.want(t, 10, 11, 12, 13)
		if _, err := p.Events.Join(t.Context(), ConsumerConfig{Group: "broken", Deliver: func(*Consumer, []Delivery) {}}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Join of a broken group: %v", err)
		}
		must(t, p.Events.Seek(t.Context(), "broken", AtOffset(2)))
		join(t, p.Events, ConsumerConfig{Group: "broken"}).want(t, 2, 3, 4)
		<-time.After(readRetry)
		for len(healthy.arrived) > 0 {
			<-healthy.arrived
		}
		if g := find("healthy"); !errors.Is(g.Err, ErrCorrupt) {
			t.Errorf("a group at a missing block: %+v", g)
		}
		must(t, p.Events.Seek(t.Context(), "healthy", AtOffset(28)))
		healthy.want(t, 28, 29, 30)

		must(t, p.Close(t.Context()))
		put(headKey, []byte("?"))
		if _, err := Open(t.Context(), Config{Store: store, Name: "orders/0"}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Open of a damaged partition: %v", err)
		}
	})
}
