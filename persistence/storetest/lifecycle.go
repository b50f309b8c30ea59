package storetest

import (
	"errors"
	"maps"
	"slices"

	"github.com/troupe-go/troupe/persistence"
)

func namespacesAreApart(f *fixture) {
	names := []string{"", "a", "ab", "a\x00", "a\x00\x01", "a\x00\xff", "\x00", "\xff"}
	spaces := map[string]persistence.Store{}
	for _, name := range names {
		spaces[name] = persistence.Namespace(f, name)
	}
	spaces["nested"] = persistence.Namespace(spaces["a"], "b")
	for name, s := range spaces {
		for _, key := range []string{"", "k", "b\x00\x01k"} {
			if name == "a" && key == "b\x00\x01k" {
				continue // that is a key of the namespace inside of it
			}
			if _, err := persistence.Put(f.Context(), s, key, []byte(name)); err != nil {
				f.Fatal(err)
			}
		}
	}
	for name, s := range spaces {
		want := []string{"", "b\x00\x01k", "k"}
		if name == "a" {
			want = []string{"", "b\x00\x01", "b\x00\x01b\x00\x01k", "b\x00\x01k", "k"}
		}
		records, err := s.List(f.Context(), persistence.Query{})
		if err != nil {
			f.Fatal(err)
		}
		if got := keysOf(records); !slices.Equal(got, want) {
			f.Errorf("namespace %q has the keys %q, want %q", name, got, want)
		}
		for _, suffix := range []string{"\x01", "\x00\x01", "k", "\x01k"} {
			var want []string
			for _, r := range records {
				if hasSuffix(r.Key, suffix) {
					want = append(want, r.Key)
				}
			}
			matching, err := s.List(f.Context(), persistence.Query{Suffix: suffix, Limit: 2})
			if err != nil {
				f.Fatal(err)
			}
			if got := keysOf(matching); !slices.Equal(got, want[:min(2, len(want))]) {
				f.Errorf("namespace %q has the keys %q with the suffix %q, want two of %q", name, got, suffix, want)
			}
		}
		if r, err := s.Get(f.Context(), "k"); err != nil || string(r.Value) != name || r.Key != "k" {
			f.Errorf("namespace %q has %+v, %v", name, r, err)
		}
		for c, err := range s.Watch(f.Context(), "k", 0) {
			if err != nil || c.Changes[0].Key != "k" || string(c.Changes[0].Value) != name {
				f.Errorf("a watch of namespace %q yields %+v, %v", name, c, err)
			}
			break
		}
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	}
	if r := f.put("still open", ""); r == 0 {
		f.Error("closing a namespace closed the store")
	}
}

func hasSuffix(s, suffix string) bool {
	return len(s) >= len(suffix) && s[len(s)-len(suffix):] == suffix
}

func closedStoreSaysSo(f *fixture) {
	w := f.watch("", f.put("a", "1"))
	if err := f.Close(); err != nil {
		f.Fatal(err)
	}
	if err := <-w.err; !errors.Is(err, persistence.ErrClosed) {
		f.Errorf("a watch ends with %v, want ErrClosed", err)
	}
	if _, err := f.Get(f.Context(), "a"); !errors.Is(err, persistence.ErrClosed) {
		f.Errorf("Get: %v, want ErrClosed", err)
	}
	if _, err := f.List(f.Context(), persistence.Query{}); !errors.Is(err, persistence.ErrClosed) {
		f.Errorf("List: %v, want ErrClosed", err)
	}
	if _, err := persistence.Put(f.Context(), f, "a", nil); !errors.Is(err, persistence.ErrClosed) {
		f.Errorf("Put: %v, want ErrClosed", err)
	}
	for _, err := range f.Watch(f.Context(), "", 0) {
		if !errors.Is(err, persistence.ErrClosed) {
			f.Errorf("Watch: %v, want ErrClosed", err)
		}
	}
	if err := f.Close(); err != nil {
		f.Errorf("Close again: %v", err)
	}
}

// needRestart skips the test if the store cannot be opened again.
func (f *fixture) needRestart() {
	f.Helper()
	if f.suite.reopen == nil {
		f.Skip("Run was called without Restart")
	}
}

// restart closes the store and opens it again, or skips the test.
func (f *fixture) restart() {
	f.Helper()
	f.needRestart()
	f.Store = f.suite.reopen(f.T, f.Store)
}

func restartKeepsEverything(f *fixture) {
	f.needRestart()
	f.put("a", "1", persistence.Metadata(map[string]string{"k": "v"}))
	f.put("b", "1", persistence.Unsynced())
	f.put("b", "2", persistence.Unsynced())
	f.put("large", string(make([]byte, 1<<20)))
	last, err := persistence.Delete(f.Context(), f, "b")
	if err != nil {
		f.Fatal(err)
	}
	before := f.list(persistence.Query{})
	for range 2 {
		f.restart()
		after := f.list(persistence.Query{})
		same := slices.EqualFunc(before, after, func(a, b persistence.Record) bool {
			return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Revision == b.Revision && maps.Equal(a.Metadata, b.Metadata)
		})
		if !same {
			f.Errorf("a restart changes %q to %q", keysOf(before), keysOf(after))
		}
	}
	if r := f.put("c", ""); r <= last {
		f.Errorf("revision %d after a restart, %d before", r, last)
	}
}

func watchGoesOnOverARestart(f *fixture) {
	f.needRestart()
	var revisions []persistence.Revision
	for i := range 10 {
		revisions = append(revisions, f.put(numbered("", i%3), ""))
	}
	f.restart()
	for i := range 10 {
		revisions = append(revisions, f.put(numbered("", i%3), ""))
	}
	w := f.watch("", revisions[4])
	for _, r := range revisions[5:] {
		if c := w.next(); c.Revision != r {
			f.Fatalf("the watch yields revision %d, want %d", c.Revision, r)
		}
	}
}
