package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/persistence"
)

func revisionsGrow(f *fixture) {
	last, err := persistence.Latest(f.Context(), f)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 10 {
		r := f.put(numbered("", i%3), "")
		if r <= last {
			f.Fatalf("revision %d after %d", r, last)
		}
		if got := f.get(numbered("", i%3)).Revision; got != r {
			f.Errorf("the record is at revision %d, its transaction at %d", got, r)
		}
		last = r
	}
	r, err := persistence.Delete(f.Context(), f, "0001")
	if err != nil || r <= last {
		f.Errorf("Delete is at revision %d, %v, after %d", r, err, last)
	}
	if latest, err := persistence.Latest(f.Context(), f); latest != r || err != nil {
		f.Errorf("Latest is %d, %v, want %d", latest, err, r)
	}
}

func transactionHappensWholeOrNot(f *fixture) {
	a := f.put("a", "1")
	f.put("gone", "1")
	r := f.commit(persistence.Transaction{
		If: []persistence.Condition{{Key: "a", Revision: a}, {Key: "b"}},
		Then: []persistence.Change{
			{Key: "a", Value: []byte("2")},
			{Key: "b", Value: []byte("2")},
			{Key: "gone", Delete: true},
		},
	})
	for _, key := range []string{"a", "b"} {
		if got := f.get(key); string(got.Value) != "2" || got.Revision != r {
			f.Errorf("%+v, want value 2 at revision %d", got, r)
		}
	}
	f.wantNone("gone")

	_, err := f.Commit(f.Context(), persistence.Transaction{
		If:   []persistence.Condition{{Key: "b", Revision: r}, {Key: "a", Revision: a}},
		Then: []persistence.Change{{Key: "a", Value: []byte("3")}, {Key: "b", Delete: true}, {Key: "c"}},
	})
	if !errors.Is(err, persistence.ErrConflict) {
		f.Errorf("Commit with one condition that does not hold: %v, want ErrConflict", err)
	}
	if latest, err := persistence.Latest(f.Context(), f); latest != r || err != nil {
		f.Errorf("a conflict took the store from revision %d to %d, %v", r, latest, err)
	}
	if got := f.get("a"); string(got.Value) != "2" {
		f.Errorf("a conflict changed a record: %+v", got)
	}
	f.wantNone("c")
}

func compareAndSwapNeedsTheRevision(f *fixture) {
	first := f.put("a", "1")
	second := f.put("a", "2")
	for _, stale := range []persistence.Revision{0, first, second + 1} {
		if _, err := persistence.CompareAndSwap(f.Context(), f, "a", stale, []byte("x")); !errors.Is(err, persistence.ErrConflict) {
			f.Errorf("CompareAndSwap of revision %d at %d: %v, want ErrConflict", stale, second, err)
		}
	}
	if _, err := persistence.CompareAndSwap(f.Context(), f, "a", second, []byte("3")); err != nil {
		f.Errorf("CompareAndSwap of the present revision: %v", err)
	}
	if got := f.get("a"); string(got.Value) != "3" {
		f.Errorf("%+v, want 3", got)
	}
}

func compareAndSwapOfNothingNeedsNothing(f *fixture) {
	if _, err := persistence.CompareAndSwap(f.Context(), f, "a", 1, nil); !errors.Is(err, persistence.ErrConflict) {
		f.Errorf("CompareAndSwap of a revision where there is no record: %v, want ErrConflict", err)
	}
	r, err := persistence.CompareAndSwap(f.Context(), f, "a", 0, []byte("1"))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := persistence.CompareAndSwap(f.Context(), f, "a", 0, []byte("2")); !errors.Is(err, persistence.ErrConflict) {
		f.Errorf("CompareAndSwap of nothing where there is a record: %v, want ErrConflict", err)
	}
	if _, err := persistence.Delete(f.Context(), f, "a"); err != nil {
		f.Fatal(err)
	}
	if _, err := persistence.CompareAndSwap(f.Context(), f, "a", r, []byte("2")); !errors.Is(err, persistence.ErrConflict) {
		f.Errorf("CompareAndSwap of a deleted record's revision: %v, want ErrConflict", err)
	}
	if _, err := persistence.CompareAndSwap(f.Context(), f, "a", 0, []byte("3")); err != nil {
		f.Errorf("CompareAndSwap of nothing after a deletion: %v", err)
	}
}

func conditionsAloneChangeNothing(f *fixture) {
	r := f.put("a", "1")
	if got := f.commit(persistence.Transaction{If: []persistence.Condition{{Key: "a", Revision: r}, {Key: "b"}}}); got != r {
		f.Errorf("conditions alone give revision %d, want the present one, %d", got, r)
	}
	_, err := f.Commit(f.Context(), persistence.Transaction{If: []persistence.Condition{{Key: "a"}}})
	if !errors.Is(err, persistence.ErrConflict) {
		f.Errorf("a condition alone that does not hold: %v, want ErrConflict", err)
	}
}

func deletingNothingChangesNothing(f *fixture) {
	r := f.put("a", "1")
	if got, err := persistence.Delete(f.Context(), f, "b"); got != r || err != nil {
		f.Errorf("Delete of nothing: revision %d, %v, want the present one, %d", got, err, r)
	}
	got := f.commit(persistence.Transaction{Then: []persistence.Change{{Key: "b", Delete: true}, {Key: "a", Value: []byte("2")}}})
	if got <= r {
		f.Errorf("a change beside the deletion of nothing is at revision %d, after %d", got, r)
	}
}

func twoChangesOfAKeyAreInvalid(f *fixture) {
	_, err := f.Commit(f.Context(), persistence.Transaction{Then: []persistence.Change{{Key: "a"}, {Key: "b"}, {Key: "a", Delete: true}}})
	if !errors.Is(err, persistence.ErrInvalid) {
		f.Errorf("two changes of a key: %v, want ErrInvalid", err)
	}
	f.wantNone("a")
	f.wantNone("b")
}

func commitKeepsNothingOfItsArgument(f *fixture) {
	value, metadata := []byte("value"), map[string]string{"k": "v"}
	changes := []persistence.Change{{Key: "a", Value: value, Metadata: metadata}}
	f.commit(persistence.Transaction{Then: changes, Unsynced: true})
	copy(value, "xxxxx")
	metadata["k"] = "x"
	changes[0].Key = "x"
	if r := f.get("a"); string(r.Value) != "value" || r.Metadata["k"] != "v" {
		f.Errorf("%+v: it was changed by the writer, after Commit", r)
	}
	if c := f.watch("", 0).next().Changes[0]; c.Key != "a" || string(c.Value) != "value" || c.Metadata["k"] != "v" {
		f.Errorf("%+v: it was changed by the writer, after Commit", c)
	}
}

func oneOfManyWinsACompareAndSwap(f *fixture) {
	const callers, rounds = 16, 20
	expect := persistence.Revision(0)
	for round := range rounds {
		var won atomic.Int64
		var revision atomic.Uint64
		var group sync.WaitGroup
		for caller := range callers {
			group.Go(func() {
				r, err := persistence.CompareAndSwap(f.Context(), f, "a", expect, fmt.Append(nil, caller))
				switch {
				case err == nil:
					won.Add(1)
					revision.Store(uint64(r))
				case !errors.Is(err, persistence.ErrConflict):
					f.Errorf("CompareAndSwap: %v", err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			f.Fatalf("round %d: %d of %d callers have swapped revision %d", round, won.Load(), callers, expect)
		}
		expect = persistence.Revision(revision.Load())
	}
}
