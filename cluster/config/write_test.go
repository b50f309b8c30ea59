package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestEveryWriteIsAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop")
		ctx := t.Context()
		if v, err := d.Get(ctx); err != nil || v.Number != 0 || v.Revision != 0 || v.Values == nil || len(v.Values) > 0 {
			t.Errorf("before the first write: %+v, %v", v, err)
		}
		given := map[string]any{"http": map[string]any{"port": 80}}
		writes := []func() (Version, error){
			func() (Version, error) { return d.Put(ctx, given, By("ada"), Note("begin")) },
			func() (Version, error) { return d.Set(ctx, "http.timeout", 5*time.Second) },
			func() (Version, error) { return d.Delete(ctx, "http.port") },
			func() (Version, error) { return d.PutJSON(ctx, []byte(`{"a": 1.0}`)) },
			func() (Version, error) { return d.Rollback(ctx, 2) },
			func() (Version, error) { return d.Put(ctx, nil) },
		}
		want := []Version{
			{Author: "ada", Note: "begin", Values: map[string]any{"http": map[string]any{"port": int64(80)}}},
			{Author: "fake", Values: map[string]any{"http": map[string]any{"port": int64(80), "timeout": "5s"}}},
			{Author: "fake", Values: map[string]any{"http": map[string]any{"timeout": "5s"}}},
			{Author: "fake", Values: map[string]any{"a": 1.0}},
			{Author: "fake", Note: "rolled back to version 2", Values: map[string]any{"http": map[string]any{"port": int64(80), "timeout": "5s"}}},
			{Author: "fake", Values: map[string]any{}},
		}
		var last persistence.Revision
		for i, write := range writes {
			<-time.After(time.Second)
			v, err := write()
			must(t, err)
			w := &want[i]
			w.Number, w.Revision, w.Time = uint64(i+1), v.Revision, time.Now().UTC()
			if !reflect.DeepEqual(v, *w) || v.Revision <= last {
				t.Errorf("write %d:\n%+v, want\n%+v", i, v, *w)
			}
			last = v.Revision
			if got, err := d.Get(ctx); err != nil || !reflect.DeepEqual(got, *w) {
				t.Errorf("Get: %+v, %v, want %+v", got, err, *w)
			}
		}
		given["http"].(map[string]any)["port"] = 1 // is the caller's again
		for _, limit := range []int{0, 2} {
			all, err := d.History(ctx, limit)
			must(t, err)
			if limit > 0 && len(all) != limit || limit == 0 && len(all) != len(want) {
				t.Errorf("%d versions", len(all))
			}
			for i, v := range all {
				if w := want[len(want)-1-i]; !reflect.DeepEqual(v, w) {
					t.Errorf("%+v, want %+v", v, w)
				}
			}
		}
	})
}

func TestWhatChangesNothingWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		first, err := d.Set(t.Context(), "a", 1)
		must(t, err)
		for what, write := range map[string]func() (Version, error){
			"deleting nothing":           func() (Version, error) { return d.Delete(t.Context(), "b.c") },
			"rolling back to the newest": func() (Version, error) { return d.Rollback(t.Context(), 1) },
		} {
			if v, err := write(); err != nil || !reflect.DeepEqual(v, first) {
				t.Errorf("%s: %+v, %v, want %+v", what, v, err, first)
			}
		}
	})
}

func TestAWriteAtAnotherRevisionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop")
		first, err := d.Set(t.Context(), "a", 1, At(0))
		must(t, err)
		second, err := d.Set(t.Context(), "a", 2, At(first.Revision))
		must(t, err)
		for _, at := range []persistence.Revision{0, first.Revision, second.Revision + 1} {
			for what, write := range map[string]func() (Version, error){
				"Put":      func() (Version, error) { return d.Put(t.Context(), nil, At(at)) },
				"Set":      func() (Version, error) { return d.Set(t.Context(), "a", 3, At(at)) },
				"Delete":   func() (Version, error) { return d.Delete(t.Context(), "a", At(at)) },
				"Rollback": func() (Version, error) { return d.Rollback(t.Context(), 1, At(at)) },
			} {
				if _, err := write(); !errors.Is(err, persistence.ErrConflict) {
					t.Errorf("%s at %d: %v", what, at, err)
				}
			}
		}
		if v, err := d.Get(t.Context()); err != nil || !reflect.DeepEqual(v, second) {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestABrokenEditIsRefusedForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		n := newFake(t)
		errPort := errors.New("no port")
		d := n.open("shop", Check(func(values map[string]any) error {
			if values["panic"] != nil {
				panic("at the disco")
			}
			if _, ok := values["port"].(int64); !ok {
				return errPort
			}
			values["port"] = "spoilt"
			return nil
		}))
		first, err := d.Set(ctx, "port", 80)
		must(t, err)
		for what, write := range map[string]func() (Version, error){
			"Put":               func() (Version, error) { return d.Put(ctx, map[string]any{"port": "http"}) },
			"Set":               func() (Version, error) { return d.Set(ctx, "port", "http") },
			"Delete":            func() (Version, error) { return d.Delete(ctx, "port") },
			"a check's panic":   func() (Version, error) { return d.Set(ctx, "panic", true) },
			"a value":           func() (Version, error) { return d.Set(ctx, "x", make(chan int)) },
			"a path":            func() (Version, error) { return d.Set(ctx, "x..y", 1) },
			"no map":            func() (Version, error) { return d.Set(ctx, "port.x", 1) },
			"a path to delete":  func() (Version, error) { return d.Delete(ctx, "") },
			"a document":        func() (Version, error) { return d.Put(ctx, map[string]any{"x.y": 1}) },
			"JSON":              func() (Version, error) { return d.PutJSON(ctx, []byte("{")) },
			"size":              func() (Version, error) { return d.Set(ctx, "x", strings.Repeat("x", MaxSize)) },
			"levels":            func() (Version, error) { return d.Set(ctx, "x", nested(MaxDepth)) },
			"levels of a path":  func() (Version, error) { return d.Set(ctx, strings.Repeat("x.", MaxDepth)+"x", 1) },
			"an author":         func() (Version, error) { return d.Set(ctx, "x", 1, By(strings.Repeat("x", maxRemark+1))) },
			"a note, not UTF-8": func() (Version, error) { return d.Set(ctx, "x", 1, Note("\xff")) },
		} {
			if _, err := write(); actor.CodeOf(err) != actor.InvalidArgument {
				t.Errorf("%s: %v, want InvalidArgument", what, err)
			}
		}
		if _, err := d.Delete(ctx, "port"); !errors.Is(err, errPort) {
			t.Errorf("%v does not say why", err)
		}
		if v, err := d.Get(ctx); err != nil || !reflect.DeepEqual(v, first) {
			t.Errorf("%+v, %v, want %+v", v, err, first)
		}
		// Who does not check writes it, and it cannot be rolled back to here.
		_, err = n.open("shop").Set(ctx, "port", "http")
		must(t, err)
		_, err = d.Set(ctx, "port", 8080)
		must(t, err)
		if _, err := d.Rollback(ctx, 2); !errors.Is(err, errPort) {
			t.Error(err)
		}
	})
}

func TestOldVersionsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		numbers := func() (all []uint64) {
			versions, err := n.open("shop").History(t.Context(), 0)
			must(t, err)
			for _, v := range versions {
				all = append(all, v.Number)
			}
			return all
		}
		write := func(keep int, times int) {
			d := n.open("shop", KeepVersions(keep))
			for range times {
				_, err := d.Set(t.Context(), "a", keep)
				must(t, err)
			}
		}
		write(3, 5)
		if got := fmt.Sprint(numbers()); got != "[5 4 3]" {
			t.Error(got)
		}
		if _, err := n.open("shop").Rollback(t.Context(), 2); !errors.Is(err, persistence.ErrNotFound) {
			t.Errorf("to one that is gone: %v", err)
		}
		write(10, 4)
		if got := fmt.Sprint(numbers()); got != "[9 8 7 6 5 4 3]" {
			t.Error(got)
		}
		write(1, 1)
		if got := fmt.Sprint(numbers()); got != "[10]" {
			t.Error(got)
		}
		if got := n.open("shop").Last(); got.Number != 10 {
			t.Errorf("%+v", got)
		}
		write(defaultVersions, defaultVersions+1)
		if got := numbers(); len(got) != defaultVersions || got[0] != 111 {
			t.Errorf("%d versions: %v", len(got), got)
		}
	})
}

func TestOfWritesAtTheSameTimeNoneIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, writes = 8, 10
		d := newFake(t).open("shop", KeepVersions(maxVersions))
		var running sync.WaitGroup
		for w := range writers {
			running.Go(func() {
				for i := range writes {
					_, err := d.Set(t.Context(), fmt.Sprintf("writer-%d.key-%d", w, i), i)
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		v, err := d.Get(t.Context())
		must(t, err)
		if v.Number != writers*writes {
			t.Errorf("%d versions", v.Number)
		}
		for w := range writers {
			if m, _ := v.Values[fmt.Sprintf("writer-%d", w)].(map[string]any); len(m) != writes {
				t.Errorf("of writer %d there is %v", w, m)
			}
		}
	})
}

// Also where a restored back-up has another version with the number of the newest one.
func TestAWriteIsMadeFromTheVersionItReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		var meanwhile func()
		d := n.open("shop", Check(func(map[string]any) error {
			if f := meanwhile; f != nil {
				meanwhile = nil
				f()
			}
			return nil
		}))
		for i := range 2 {
			_, err := d.Set(t.Context(), "a", i)
			must(t, err)
		}
		other := n.open("shop")
		for what, f := range map[string]func(){
			"another writer": func() {
				_, err := other.Put(t.Context(), map[string]any{"a": "other"})
				must(t, err)
			},
			"a restored back-up": func() {
				v, err := other.Get(t.Context())
				must(t, err)
				v.Values = map[string]any{"a": "other"}
				value, err := v.encode()
				must(t, err)
				_, err = persistence.Put(t.Context(), n.documents(), d.history.key(v.Number), value)
				must(t, err)
			},
		} {
			_, err := d.Set(t.Context(), "a", "this")
			must(t, err)
			meanwhile = f
			v, err := d.Set(t.Context(), "b", 1)
			must(t, err)
			if want := map[string]any{"a": "other", "b": int64(1)}; !reflect.DeepEqual(v.Values, want) {
				t.Errorf("%s: %v, want %v", what, v.Values, want)
			}
		}
	})
}

func TestTheStoreSaysWhyAWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		d := n.open("shop")
		n.fail(errAway)
		_, err := d.Get(t.Context())
		_, errHistory := d.History(t.Context(), 1)
		_, errSet := d.Set(t.Context(), "a", 1)
		_, errRollback := d.Rollback(t.Context(), 1)
		for _, err := range []error{err, errHistory, errSet, errRollback} {
			if !errors.Is(err, errAway) || actor.CodeOf(err) != actor.Unavailable {
				t.Error(err)
			}
		}
		n.fail(nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Set(ctx, "a", 1); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestNamesAndOptionsThatMakeNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		for _, name := range []string{"", ".", "..", ".a", "A", "a/b", "ä", "a b", strings.Repeat("x", maxName+1)} {
			if _, err := open(t.Context(), n, name, nil); actor.CodeOf(err) != actor.InvalidArgument {
				t.Errorf("%q: %v", name, err)
			}
		}
		for _, versions := range []int{-1, 0, maxVersions + 1} {
			if _, err := open(t.Context(), n, "x", []Option{KeepVersions(versions)}); actor.CodeOf(err) != actor.InvalidArgument {
				t.Errorf("%d versions: %v", versions, err)
			}
		}
		a, b := n.open("a"), n.open("a-b.c_1")
		_, err := a.Set(t.Context(), "of", "a")
		must(t, err)
		if v, err := b.Get(t.Context()); err != nil || v.Number != 0 {
			t.Errorf("another document is %+v, %v", v, err)
		}
		if b.Name() != "a-b.c_1" {
			t.Error(b.Name())
		}
	})
}
