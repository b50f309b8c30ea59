package badger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// watchable returns the first revision that a watch from after yields.
func watchable(t *testing.T, s *Store, after persistence.Revision) (persistence.Revision, error) {
	for c, err := range s.Watch(t.Context(), "", after) {
		return c.Revision, err
	}
	return 0, errors.New("the watch yields nothing")
}

func TestHistoryIsLimitedInNumber(t *testing.T) {
	c := Config{Dir: t.TempDir(), HistoryCount: 100}
	s := openStore(t, c)
	for i := range 500 {
		put(t, s, "a", fmt.Sprint(i), persistence.Unsynced())
	}
	must(t, s.trim(t.Context(), false))
	for range 2 {
		if st := s.Stats(); st.History != 400 || st.Revision != 500 {
			t.Errorf("history is kept after %d of %d, want 400", st.History, st.Revision)
		}
		if r, err := watchable(t, s, 400); r != 401 || err != nil {
			t.Errorf("the watch begins with %d, %v, want 401", r, err)
		}
		if _, err := watchable(t, s, 399); !errors.Is(err, persistence.ErrHistoryGone) {
			t.Errorf("watching what is forgotten: %v, want ErrHistoryGone", err)
		}
		must(t, s.Close())
		s = openStore(t, c)
	}
	wantValue(t, s, "a", "499")
}

func TestHistoryIsLimitedInAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{HistoryAge: time.Hour})
		defer s.Close()
		put(t, s, "a", "1")
		<-time.After(30 * time.Minute)
		put(t, s, "a", "2")
		put(t, s, "a", "3")
		<-time.After(31 * time.Minute)
		synctest.Wait()
		if st := s.Stats(); st.History != 1 {
			t.Errorf("history is kept after %d, want 1", st.History)
		}
		<-time.After(2 * time.Hour)
		synctest.Wait()
		if st := s.Stats(); st.History != 2 {
			t.Errorf("history is kept after %d, want 2: the latest stays", st.History)
		}
		wantValue(t, s, "a", "3")
	})
}

func TestRevisionsGrowWhenNothingIsLeft(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	s := openStore(t, c)
	var last persistence.Revision
	for range 3 {
		put(t, s, "a", "1")
		r, err := persistence.Delete(t.Context(), s, "a")
		must(t, err)
		if r <= last {
			t.Errorf("revision %d after %d", r, last)
		}
		last = r
		must(t, s.trim(t.Context(), true))
		must(t, s.Compact(t.Context()))
		must(t, s.Close())
		s = openStore(t, c)
	}
}

func TestWatchFollowsWhileHistoryIsForgotten(t *testing.T) {
	s := openStore(t, Config{HistoryCount: 10})
	const n = 3000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			if _, err := persistence.Put(t.Context(), s, fmt.Sprint(i%7), fmt.Append(nil, i), persistence.Unsynced()); err != nil {
				t.Error(err)
			}
			if i%20 == 0 {
				if err := s.trim(t.Context(), false); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	defer func() { <-done }()
	var after persistence.Revision
	for after < n {
		for c, err := range s.Watch(t.Context(), "", after) {
			if errors.Is(err, persistence.ErrHistoryGone) {
				after = s.Stats().History
				break
			}
			must(t, err)
			if c.Revision != after+1 || string(c.Changes[0].Value) != fmt.Sprint(c.Revision-1) {
				t.Fatalf("%+v after revision %d", c, after)
			}
			if after = c.Revision; after == n {
				break
			}
		}
	}
}

func TestReadsGoOnWhileOldVersionsAreDropped(t *testing.T) {
	s := openStore(t, Config{HistoryCount: 1, MemTableSize: 1 << 20})
	put(t, s, "a", "0")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 40 {
			for range 50 {
				if _, err := persistence.Put(t.Context(), s, "a", fmt.Append(nil, strings.Repeat("x", 500), i), persistence.Unsynced()); err != nil {
					t.Error(err)
				}
			}
			if err := errors.Join(s.trim(t.Context(), true), s.Compact(t.Context())); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		if _, err := s.Get(t.Context(), "a"); err != nil {
			t.Fatalf("Get of a record that is always there: %v", err)
		}
		if records, err := s.List(t.Context(), persistence.Query{}); err != nil || len(records) != 1 {
			t.Fatalf("List of a record that is always there: %v, %v", records, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
