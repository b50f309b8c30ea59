package settings_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/settings"
)

type pair struct{ A, B int }

type manyPairs struct{ Pairs map[string]pair }

// Validate refuses what no reader may ever see.
func (m manyPairs) Validate() error {
	for name, p := range m.Pairs {
		if p.A < 0 {
			return errors.New(name + " is negative")
		}
	}
	return nil
}

// TestReadersSeeWholeSnapshotsAndTheLastOneInTheEnd edits 100 sources 10,000 times, in
// bursts and with pauses, some of them wrongly.
func TestReadersSeeWholeSnapshotsAndTheLastOneInTheEnd(t *testing.T) {
	const sources, edits, names = 100, 10_000, 50
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		all := make([]*variable, sources)
		var args []settings.Source
		for i := range all {
			all[i] = new(variable)
			args = append(args, settings.From(fmt.Sprint("source ", i), all[i]))
		}
		live := load[manyPairs](t, args...)

		check := func(seen *manyPairs) { seen.check(t) }
		for range 4 {
			go readWhile(t, live)
		}
		var watched *manyPairs
		if err := live.Watch(t.Context(), "", func(_, new *manyPairs) { check(new); watched = new }); err != nil {
			t.Fatal(err)
		}

		for edit := range edits {
			v := all[random.IntN(sources)]
			pairs := map[string]any{}
			for range random.IntN(4) {
				name := strconv.Itoa(random.IntN(names))
				switch random.IntN(20) {
				case 0:
					pairs[name] = nil // falls back
				default:
					pairs[name] = map[string]any{"a": edit, "b": edit}
				}
			}
			switch {
			case random.IntN(1000) == 0 && edit < edits-sources:
				v.set(nil, map[string]any{"pairs": map[string]any{"x": map[string]any{"a": -1, "b": -1}}})
			case random.IntN(1000) == 0 && edit < edits-sources:
				v.set(errors.New("broken"), nil)
			default:
				v.set(nil, map[string]any{"pairs": pairs})
			}
			if random.IntN(10) == 0 {
				<-time.After(time.Duration(random.IntN(400)) * time.Millisecond)
			}
		}
		for _, v := range all { // what is still broken is put right, in place
			if pairs, _ := v.values["pairs"].(map[string]any); pairs == nil || pairs["x"] != nil {
				v.set(nil, map[string]any{"pairs": map[string]any{}})
			}
		}
		<-time.After(time.Minute)
		synctest.Wait()

		want := wanted(all)
		status := live.Status()
		if got := live.Get().Pairs; status.Err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(watched.Pairs, want) {
			t.Errorf("%+v: got %v, want %v, watched %v", status, got, want, watched)
		}
		if status.Reloads < 10 || status.Refusals < 10 {
			t.Errorf("nothing was tested: %+v", status)
		}
	})
}

func (m *manyPairs) check(t *testing.T) {
	for name, p := range m.Pairs {
		if p.A != p.B || p.A < 0 {
			t.Errorf("%s is %+v", name, p)
		}
	}
}

// readWhile reads while the test runs. What it has read must stay as it is.
func readWhile(t *testing.T, live *settings.Live[manyPairs]) {
	for t.Context().Err() == nil {
		seen := live.Get()
		seen.check(t)
		live.Explain("pairs.1.a")
		live.Status()
		before := maps.Clone(seen.Pairs)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
		}
		if !maps.Equal(before, seen.Pairs) {
			t.Error("a snapshot was changed")
		}
	}
}

// wanted is what the sources have in the end, the last one first.
func wanted(all []*variable) map[string]pair {
	want := map[string]pair{}
	for _, v := range all {
		for name, value := range v.values["pairs"].(map[string]any) {
			if value != nil {
				n := value.(map[string]any)["a"].(int)
				want[name] = pair{n, n}
			}
		}
	}
	return want
}
