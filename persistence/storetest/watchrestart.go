package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/troupe-go/troupe/persistence"
)

// watchUnderLoadGoesOnOverRestarts has the store closed and opened again while it is
// written to and watched. Each writer counts up under a key of its own, and each watcher
// resumes where it was: it has to see every number once, and all of them the same.
func watchUnderLoadGoesOnOverRestarts(f *fixture) {
	const writers, watchers, rounds, each = 4, 3, 4, 150
	f.needRestart()
	acknowledged := make([]int, writers)
	seen := make([]sightings, watchers)
	for range rounds {
		store := f.Store // that of this round
		enough := make(chan struct{})
		end := sync.OnceFunc(func() { close(enough) })
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				defer end()
				if err := countUp(f, store, numbered("key-", w), &acknowledged[w]); !errors.Is(err, persistence.ErrClosed) {
					f.Errorf("writer %d: %v", w, err)
				}
			})
		}
		for w := range watchers {
			group.Go(func() {
				defer end()
				until := len(seen[w].changes) + each
				err := seen[w].watch(f, store, func() bool {
					if w == 0 && len(seen[w].changes) == until {
						end()
					}
					return true
				})
				if !errors.Is(err, persistence.ErrClosed) {
					f.Errorf("watcher %d: %v", w, err)
				}
			})
		}
		<-enough
		f.restart()
		group.Wait()
		if f.Failed() {
			return
		}
	}
	last := f.put("key-last", "1")
	for w := range seen {
		if err := seen[w].watch(f, f.Store, func() bool { return seen[w].after < last }); err != nil {
			f.Fatalf("watcher %d: %v", w, err)
		}
		if !slices.Equal(seen[w].changes, seen[0].changes) {
			f.Errorf("watchers 0 and %d have not seen the same: %d and %d changes", w, len(seen[0].changes), len(seen[w].changes))
		}
	}
	numbers := map[string]int{}
	for i, c := range seen[0].changes {
		if numbers[c.key]++; c.number != numbers[c.key] {
			f.Fatalf("change %d makes %s %d, want %d", i, c.key, c.number, numbers[c.key])
		}
	}
	for w, n := range acknowledged {
		key := numbered("key-", w)
		if r := f.get(key); string(r.Value) != strconv.Itoa(numbers[key]) || numbers[key] < n {
			f.Errorf("%s is %s, %d was seen last, and %d acknowledged", key, r.Value, numbers[key], n)
		}
	}
}

// countUp writes the next number under key, again and again, until there is an error.
func countUp(f *fixture, s persistence.Store, key string, acknowledged *int) error {
	number := 0
	switch r, err := s.Get(f.Context(), key); {
	case err == nil:
		if number, err = strconv.Atoi(string(r.Value)); err != nil {
			return err
		}
	case !errors.Is(err, persistence.ErrNotFound):
		return err
	}
	for {
		number++
		t := persistence.Transaction{
			Then:     []persistence.Change{{Key: key, Value: strconv.AppendInt(nil, int64(number), 10)}},
			Unsynced: number%5 > 0,
		}
		if _, err := s.Commit(f.Context(), t); err != nil {
			return err
		}
		*acknowledged = number
	}
}

// sightings is what a watcher has seen.
type sightings struct {
	after   persistence.Revision
	changes []sighting
}

type sighting struct {
	key    string
	number int
}

// watch goes on where it was, as long as more returns true.
func (s *sightings) watch(f *fixture, store persistence.Store, more func() bool) error {
	for c, err := range store.Watch(f.Context(), "key-", s.after) {
		if err != nil {
			return err
		}
		if c.Revision <= s.after || len(c.Changes) != 1 {
			return fmt.Errorf("%+v after revision %d", c, s.after)
		}
		number, err := strconv.Atoi(string(c.Changes[0].Value))
		if err != nil {
			return err
		}
		s.after = c.Revision
		s.changes = append(s.changes, sighting{c.Changes[0].Key, number})
		if !more() {
			return nil
		}
	}
	return errors.New("the watch ended without an error")
}
