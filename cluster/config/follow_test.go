package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func set(t testing.TB, d *Document, value any) Version {
	t.Helper()
	v, err := d.Set(t.Context(), "a", value)
	must(t, err)
	return v
}

// told is what a watcher was told.
type told struct {
	event any
	err   error
}

// watch lets a channel have what d tells.
func watch(t testing.TB, d *Document) <-chan told {
	t.Helper()
	all := make(chan told, 100)
	must(t, d.Watch(func(event any, err error) { all <- told{event, err} }))
	return all
}

func TestReadAnswersFromMemoryWithTheLastVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		writer, d := n.open("shop"), n.open("shop")
		if v, err := d.Read(); err != nil || v == nil || len(v) > 0 {
			t.Errorf("before the first write: %v, %v", v, err)
		}
		set(t, writer, 2.0)
		synctest.Wait()
		n.fail(errAway)
		for range 2 {
			v, err := d.Read()
			must(t, err)
			if want := map[string]any{"a": 2.0}; !reflect.DeepEqual(v, want) {
				t.Errorf("%v, want %v", v, want)
			}
			v["a"] = "spoilt" // it is the reader's
			d.Last().Values["a"] = "spoilt"
		}
		if data, err := d.ReadBytes(); err != nil || string(data) != `{"a":2.0}` {
			t.Errorf("%s, %v", data, err)
		}
	})
}

func TestAWatcherIsToldOfEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		events := watch(t, d)
		for i := range 3 {
			v := set(t, d, i)
			if e := <-events; e.err != nil || !reflect.DeepEqual(e.event, v) {
				t.Errorf("%+v, want %+v", e, v)
			}
		}
		must(t, d.Unwatch())
		must(t, d.Unwatch())
		set(t, d, 4)
		synctest.Wait()
		if len(events) > 0 {
			t.Errorf("after Unwatch: %+v", <-events)
		}
	})
}

func TestAWatcherIsToldOfWhatCameSinceTheLastRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		_, err := d.Read()
		must(t, err)
		v := set(t, d, 1)
		synctest.Wait()
		if e := <-watch(t, d); !reflect.DeepEqual(e.event, v) {
			t.Errorf("%+v", e)
		}
		must(t, d.Unwatch())
		_, err = d.ReadBytes()
		must(t, err)
		events := watch(t, d)
		synctest.Wait()
		if len(events) > 0 {
			t.Errorf("nothing has changed, but %+v", <-events)
		}
	})
}

func TestASlowWatcherIsGivenTheLastVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		var seen []uint64
		proceed := make(chan struct{})
		must(t, d.Watch(func(event any, _ error) {
			seen = append(seen, event.(Version).Number)
			<-proceed
		}))
		set(t, d, 1)
		synctest.Wait()
		for i := range 10 {
			set(t, d, i)
			synctest.Wait()
			if last := d.Last(); last.Values["a"] != int64(i) {
				t.Errorf("behind a slow watcher Last is %+v", last)
			}
		}
		proceed <- struct{}{}
		proceed <- struct{}{}
		synctest.Wait()
		if fmt.Sprint(seen) != "[1 11]" {
			t.Error(seen)
		}
	})
}

func TestOneWatchesAtATimeUntilTheDocumentIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		in, out := make(chan struct{}), make(chan struct{})
		must(t, d.Watch(func(any, error) { close(in); <-out }))
		if err := d.Watch(func(any, error) {}); actor.CodeOf(err) != actor.FailedPrecondition {
			t.Error(err)
		}
		set(t, d, 1)
		<-in
		closed := make(chan struct{})
		for range 2 {
			go func() { must(t, d.Close()); closed <- struct{}{} }()
		}
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait for the watcher")
		default:
		}
		close(out)
		<-closed
		<-closed
		if err := d.Watch(func(any, error) {}); actor.CodeOf(err) != actor.FailedPrecondition {
			t.Error(err)
		}
		if v, err := d.Read(); err != nil || v["a"] != int64(1) {
			t.Errorf("after Close: %v, %v", v, err)
		}
	})
}

func TestAWatcherThatPanicsDisturbsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		calls := make(chan uint64, 10)
		must(t, d.Watch(func(event any, _ error) {
			number := event.(Version).Number
			if calls <- number; number == 2 {
				runtime.Goexit()
			}
			panic("watcher")
		}))
		for i := range 3 {
			set(t, d, i)
			if number := <-calls; number != uint64(i+1) {
				t.Errorf("version %d", number)
			}
		}
	})
}

func TestOneThatLostItsPlaceIsGivenTheNewest(t *testing.T) {
	for _, gone := range []error{persistence.ErrHistoryGone, errAway} {
		synctest.Test(t, func(t *testing.T) {
			n := newFake(t)
			d := n.open("shop")
			events := watch(t, d)
			set(t, d, 1)
			<-events
			for i := range 3 {
				n.endWatches(gone)
				set(t, d, i+2)
				if e := <-events; e.err != nil || e.event.(Version).Number != uint64(i+2) {
					t.Errorf("%+v", e)
				}
			}
			n.endWatches(gone)
			<-time.After(time.Minute)
			if len(events) > 0 {
				t.Errorf("nothing has changed, but %+v", <-events)
			}
		})
	}
}

// What a restored back-up does: versions are gone, others have come, and watches end.
func TestAnotherHistoryTakesThePlaceOfTheOneSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop")
		first := set(t, d, "first")
		for i := range 3 {
			set(t, d, i)
		}
		synctest.Wait()
		events := watch(t, d)
		replace := func(change func()) Version {
			n.fail(errAway)
			n.endWatches(persistence.ErrHistoryGone)
			synctest.Wait()
			change()
			n.fail(nil)
			e := <-events
			return e.event.(Version)
		}
		remove := func(numbers ...uint64) {
			for _, number := range numbers {
				_, err := persistence.Delete(t.Context(), n.documents(), d.history.key(number))
				must(t, err)
			}
		}
		if v := replace(func() { remove(2, 3, 4) }); !reflect.DeepEqual(v, first) {
			t.Errorf("%+v, want %+v", v, first)
		}
		second := set(t, d, "second") // has a number that there was before
		if e := <-events; second.Number != 2 || !reflect.DeepEqual(e.event, second) {
			t.Errorf("%+v, want %+v", e, second)
		}
		if v := replace(func() { remove(1, 2) }); v.Number != 0 || len(v.Values) > 0 {
			t.Errorf("%+v, want none", v)
		}
		again := set(t, d, "again")
		if e := <-events; again.Number != 1 || !reflect.DeepEqual(e.event, again) {
			t.Errorf("%+v, want %+v", e, again)
		}
	})
}

func TestWhenTheNewestIsDeletedByHandTheOneBeforeIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop")
		set(t, d, 1)
		set(t, d, 2)
		synctest.Wait()
		events := watch(t, d)
		_, err := persistence.Delete(t.Context(), n.documents(), d.history.key(2))
		must(t, err)
		if e := <-events; e.err != nil || e.event.(Version).Number != 1 {
			t.Errorf("%+v", e)
		}
	})
}

func TestARecordThatIsNoVersionKeepsTheLastGoodOne(t *testing.T) {
	for _, repair := range []string{"delete", "replace"} {
		synctest.Test(t, func(t *testing.T) {
			n := newFake(t)
			d := n.open("shop")
			good := set(t, d, 1)
			synctest.Wait()
			events := watch(t, d)
			key := d.history.key(2)
			_, err := persistence.Put(t.Context(), n.documents(), key, []byte("rubbish"))
			must(t, err)
			if e := <-events; actor.CodeOf(e.err) != actor.DataLoss {
				t.Errorf("%+v", e)
			}
			<-time.After(time.Minute)
			if len(events) > 0 || !reflect.DeepEqual(d.Last(), good) {
				t.Errorf("%d more events; %+v", len(events), d.Last())
			}
			_, err = d.Set(t.Context(), "a", 2)
			_, errOpen := open(t.Context(), n, "shop", nil)
			_, errHistory := d.History(t.Context(), 0)
			_, errRollback := d.Rollback(t.Context(), 1)
			for _, err := range []error{err, errOpen, errHistory, errRollback} {
				if actor.CodeOf(err) != actor.DataLoss {
					t.Error(err)
				}
			}
			for _, err := range d.Observe(t.Context()) {
				if actor.CodeOf(err) != actor.DataLoss {
					t.Error(err)
				}
			}
			want := good
			if repair == "delete" {
				_, err = persistence.Delete(t.Context(), n.documents(), key)
			} else {
				want = Version{Time: time.Unix(0, 0).UTC(), Author: "by hand", Values: map[string]any{"a": true}}
				value, failed := want.encode()
				must(t, failed)
				want.Number = 2
				want.Revision, err = persistence.Put(t.Context(), n.documents(), key, value)
			}
			must(t, err)
			if e := <-events; e.err != nil || !reflect.DeepEqual(e.event, want) {
				t.Errorf("%+v, want %+v", e, want)
			}
		})
	}
}

func TestObserveYieldsEveryVersionInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop", KeepVersions(1))
		ctx, cancel := context.WithCancel(t.Context())
		seen, ended := make(chan uint64, 100), make(chan error, 1)
		go func() {
			for v, err := range d.Observe(ctx) {
				if err != nil {
					ended <- err
					return
				}
				seen <- v.Number
			}
		}()
		synctest.Wait()
		for i := range 20 {
			set(t, d, i)
		}
		for want := range uint64(21) {
			if got := <-seen; got != want {
				t.Errorf("%d, want %d", got, want)
			}
		}
		n.endWatches(errAway)
		set(t, d, 21)
		if got := <-seen; got != 21 {
			t.Error(got)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for v, err := range d.Observe(t.Context()) {
			if err != nil || v.Number != 21 {
				t.Errorf("%+v, %v", v, err)
			}
			break
		}
	})
}

func TestAVersionWrittenWhileTheNewestIsReadIsYieldedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop")
		set(t, d, 1)
		n.mu.Lock()
		n.onList = func() { set(t, d, 2) }
		n.mu.Unlock()
		var seen []uint64
		for v, err := range d.Observe(t.Context()) {
			must(t, err)
			seen = append(seen, v.Number)
			if v.Number == 3 {
				break
			}
			set(t, d, 3)
		}
		if fmt.Sprint(seen) != "[2 3]" {
			t.Error(seen)
		}
	})
}

func TestOpenWaitsForTheStoreAsLongAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		n.fail(errAway)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := open(ctx, n, "shop", nil); actor.CodeOf(err) != actor.DeadlineExceeded || !errors.Is(err, errAway) {
			t.Error(err)
		}
		go func() {
			<-time.After(time.Hour)
			n.fail(nil)
		}()
		start := time.Now()
		n.open("shop")
		if took := time.Since(start); took < time.Hour || took > time.Hour+2*maxRetry {
			t.Errorf("it took %v", took)
		}
		n.fail(persistence.ErrClosed)
		if _, err := open(t.Context(), n, "shop", nil); !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestADocumentEndsWithItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop")
		set(t, d, 1)
		synctest.Wait()
		events := watch(t, d)
		n.leave()
		set(t, d, 2)
		synctest.Wait()
		if len(events) > 0 || d.Last().Number != 1 {
			t.Errorf("%d events, %+v", len(events), d.Last())
		}
		n.fail(errAway)
		failed := make(chan error)
		go func() { _, err := open(t.Context(), n, "shop", nil); failed <- err }()
		synctest.Wait()
		n.leave()
		if err := <-failed; actor.CodeOf(err) != actor.Unavailable {
			t.Error(err)
		}
	})
}

func TestWatchUnwatchAndCloseMayRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		var running sync.WaitGroup
		for i := range 8 {
			running.Go(func() {
				for range 50 {
					_ = d.Watch(func(any, error) {})
					_, _ = d.Read()
					_, _ = d.Set(t.Context(), "a", i)
					must(t, d.Unwatch())
				}
				must(t, d.Close())
			})
		}
		running.Wait()
	})
}
