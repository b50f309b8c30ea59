package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/persistence"
)

func watchGivesHistoryThenWhatComes(f *fixture) {
	var revisions []persistence.Revision
	for i := range 10 {
		revisions = append(revisions, f.put(numbered("", i%3), fmt.Sprint(i)))
	}
	w := f.watch("", revisions[3])
	for _, r := range revisions[4:] {
		if c := w.next(); c.Revision != r {
			f.Fatalf("the watch yields revision %d, want %d of the history", c.Revision, r)
		}
	}
	for range 10 {
		r := f.put("a", "")
		if c := w.next(); c.Revision != r {
			f.Fatalf("the watch yields revision %d, want %d, which came", c.Revision, r)
		}
	}
}

func watchGivesWhatAPrefixConcerns(f *fixture) {
	w := f.watch("a/", 0)
	f.put("a", "")
	f.put("b/1", "")
	first := f.put("a/1", "")
	second := f.commit(persistence.Transaction{Then: []persistence.Change{{Key: "b/1", Delete: true}, {Key: "a/2"}, {Key: "a0"}}})
	if c := w.next(); c.Revision != first || len(c.Changes) != 1 || c.Changes[0].Key != "a/1" {
		f.Errorf("%+v, want a/1 at revision %d", c, first)
	}
	if c := w.next(); c.Revision != second || len(c.Changes) != 1 || c.Changes[0].Key != "a/2" {
		f.Errorf("%+v, want a/2 alone at revision %d", c, second)
	}
}

func watchKeepsTransactionsTogether(f *fixture) {
	w := f.watch("", 0)
	for round := range 20 {
		var t persistence.Transaction
		for i := range 20 {
			t.Then = append(t.Then, persistence.Change{Key: numbered("", i), Value: fmt.Append(nil, round)})
		}
		r := f.commit(t)
		c := w.next()
		if c.Revision != r || len(c.Changes) != len(t.Then) {
			f.Fatalf("revision %d with %d changes, want %d with %d", c.Revision, len(c.Changes), r, len(t.Then))
		}
		for i, change := range c.Changes {
			if change.Key != t.Then[i].Key || string(change.Value) != fmt.Sprint(round) {
				f.Errorf("change %d is %+v, want %+v", i, change, t.Then[i])
			}
		}
	}
}

func watchSaysWhatChanged(f *fixture) {
	metadata := map[string]string{"k": "v"}
	f.put("a", "1", persistence.Metadata(metadata))
	f.put("a", "2")
	if _, err := persistence.Delete(f.Context(), f, "a"); err != nil {
		f.Fatal(err)
	}
	f.put("a", "3")
	w := f.watch("a", 0)
	for i, want := range []persistence.Change{
		{Key: "a", Value: []byte("1"), Metadata: metadata},
		{Key: "a", Value: []byte("2")},
		{Key: "a", Delete: true},
		{Key: "a", Value: []byte("3")},
	} {
		got := w.next().Changes[0]
		if got.Key != want.Key || string(got.Value) != string(want.Value) || got.Delete != want.Delete || got.Expired || got.TTL != 0 || !maps.Equal(got.Metadata, want.Metadata) {
			f.Errorf("change %d is %+v, want %+v", i, got, want)
		}
	}
}

func watchResumes(f *fixture) {
	const n = 50
	for i := range n {
		f.put("a", fmt.Sprint(i))
	}
	var after persistence.Revision
	seen := 0
	for seen < n {
		for c, err := range f.Watch(f.Context(), "", after) {
			if err != nil {
				f.Fatal(err)
			}
			if string(c.Changes[0].Value) != fmt.Sprint(seen) {
				f.Fatalf("change %d has value %s", seen, c.Changes[0].Value)
			}
			seen++
			after = c.Revision
			if seen%7 == 0 || seen == n {
				break
			}
		}
	}
}

// watchUnderLoadMissesNothing has several watchers, of all and of a part, while several
// writers change some of the same keys.
func watchUnderLoadMissesNothing(f *fixture) {
	const writers, each, keys = 8, 150, 10
	var watchers, group sync.WaitGroup
	all := make([]map[persistence.Revision]string, 4)
	ctx, stop := context.WithCancel(f.Context())
	defer watchers.Wait()
	defer stop()
	for i := range all {
		prefix := ""
		if i%2 == 1 {
			prefix = numbered("key-", i)
		}
		all[i] = map[persistence.Revision]string{}
		watchers.Go(func() {
			var last persistence.Revision
			for c, err := range f.Watch(ctx, prefix, 0) {
				if err != nil {
					f.Errorf("watcher %d: %v", i, err)
					return
				}
				if c.Revision <= last {
					f.Errorf("watcher %d: revision %d after %d", i, c.Revision, last)
				}
				last = c.Revision
				if len(c.Changes) > 0 && c.Changes[0].Key == numbered("key-", i)+"end" {
					return
				}
				for _, change := range c.Changes {
					all[i][c.Revision] += change.Key + "=" + string(change.Value) + ";"
				}
			}
		})
	}
	var mu sync.Mutex
	written := map[persistence.Revision]persistence.Change{}
	for w := range writers {
		group.Go(func() {
			for i := range each {
				c := persistence.Change{Key: numbered("key-", (w*31+i*7)%keys), Value: fmt.Append(nil, w, i)}
				r, err := f.Commit(ctx, persistence.Transaction{Then: []persistence.Change{c}, Unsynced: i%5 > 0})
				if err != nil {
					f.Errorf("Commit: %v", err)
					return
				}
				mu.Lock()
				written[r] = c
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if f.Failed() {
		return
	}
	for i := range all {
		f.put(numbered("key-", i)+"end", "")
	}
	watchers.Wait()
	for i, seen := range all {
		for r, c := range written {
			want := c.Key + "=" + string(c.Value) + ";"
			if i%2 == 1 && c.Key != numbered("key-", i) {
				want = ""
			}
			if seen[r] != want {
				f.Fatalf("watcher %d has seen %q at revision %d, want %q", i, seen[r], r, want)
			}
		}
	}
}

// watchGoesOnWhereCurrentEnds reads records while writers write and delete them, and
// compares each reading with what a watch of everything says of its revision.
func watchGoesOnWhereCurrentEnds(f *fixture) {
	const writers, each, keys, readers = 4, 100, 6, 2
	type reading struct {
		records map[string]persistence.Revision
		after   persistence.Revision
	}
	readings := make([][]reading, readers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				c := persistence.Change{Key: numbered("key-", (w*31+i*7)%keys), Value: fmt.Append(nil, w, i), Delete: (w+i)%3 == 0}
				if _, err := f.Commit(f.Context(), persistence.Transaction{Then: []persistence.Change{c}, Unsynced: true}); err != nil {
					f.Errorf("Commit: %v", err)
					return
				}
			}
		})
	}
	for i := range readers {
		group.Go(func() {
			for range each {
				records, after, err := persistence.Current(f.Context(), f, "key-")
				if err != nil {
					f.Errorf("Current: %v", err)
					return
				}
				r := reading{map[string]persistence.Revision{}, after}
				for _, record := range records {
					r.records[record.Key] = record.Revision
				}
				readings[i] = append(readings[i], r)
			}
		})
	}
	group.Wait()
	end := f.put("end", "")
	var history []persistence.Changes
	for changes, err := range f.Watch(f.Context(), "", 0) {
		if err != nil {
			f.Fatal(err)
		}
		if history = append(history, changes); changes.Revision == end {
			break
		}
	}
	for _, r := range slices.Concat(readings...) {
		was, gone := recordsAt(history, r.after)
		for key, revision := range r.records {
			if was[key] != revision {
				f.Errorf("after revision %d, %s is read as of revision %d, and was of %d", r.after, key, revision, was[key])
			}
		}
		for key, revision := range was {
			if r.records[key] == 0 && !gone[key] {
				f.Errorf("after revision %d, %s is not read, and was of revision %d", r.after, key, revision)
			}
		}
	}
}

// recordsAt returns the revisions of the records at a revision, and which are deleted
// after it.
func recordsAt(history []persistence.Changes, at persistence.Revision) (was map[string]persistence.Revision, gone map[string]bool) {
	was, gone = map[string]persistence.Revision{}, map[string]bool{}
	for _, changes := range history {
		for _, c := range changes.Changes {
			switch {
			case changes.Revision > at:
				gone[c.Key] = gone[c.Key] || c.Delete
			case c.Delete:
				delete(was, c.Key)
			default:
				was[c.Key] = changes.Revision
			}
		}
	}
	return was, gone
}

func slowWatcherHoldsUpNobody(f *fixture) {
	first := f.put("a", "0")
	started := false
	for c, err := range f.Watch(f.Context(), "", 0) {
		if err != nil {
			f.Fatal(err)
		}
		if !started {
			// This watcher is as slow as can be: it does not go on before all is done.
			started = true
			w := f.watch("", first)
			for i := range 2000 {
				r := f.put("a", fmt.Sprint(i+1), persistence.Unsynced())
				if i%500 == 0 {
					for w.next().Revision != r {
					}
				}
			}
		}
		if string(c.Changes[0].Value) == "2000" {
			return
		}
	}
}

func watchEndsWithItsContext(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	f.put("a", "1")
	n := 0
	for _, err := range f.Watch(ctx, "", 0) {
		n++
		if n == 1 {
			cancel()
			continue
		}
		if !errors.Is(err, context.Canceled) {
			f.Errorf("the watch yields %v, want the error of its context", err)
		}
	}
	if n != 2 {
		f.Errorf("the watch yielded %d times, want a change and an error", n)
	}
}
