package badger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func TestFilesStayWithinTheBoundWhileValuesAreRewritten(t *testing.T) {
	t.Parallel()
	for _, p := range patterns() {
		if p.name == "20-keys" {
			r := runPattern(t, p, 2000) // 125 MiB
			if r.Worst > 1 {
				t.Errorf("the files had %d MiB, %.2f of what is allowed", r.Most>>20, r.Worst)
			}
			if r.Files == 0 {
				t.Error("nothing was collected")
			}
		}
	}
}

func TestCensus(t *testing.T) {
	type version struct {
		key     string
		version uint64
		size    int64
		deleted bool
	}
	for name, c := range map[string]struct {
		versions []version
		needed   int64
		dead     []string
	}{
		"nothing":                    {},
		"history is needed":          {[]version{{"a", 9, 50_000, false}, {"a", 8, 50_000, false}}, 100_000, nil},
		"the newest before it, too":  {[]version{{"a", 9, 50_000, false}, {"a", 5, 50_000, false}}, 100_000, nil},
		"older ones are not":         {[]version{{"a", 5, 50_000, false}, {"a", 4, 60_000, false}}, 50_000, []string{"a"}},
		"a deleted one is not":       {[]version{{"a", 5, 10, true}, {"a", 4, 60_000, false}}, 0, []string{"a"}},
		"small ones are left":        {[]version{{"a", 5, 10, false}, {"a", 4, 10, false}, {"b", 3, 10, false}}, 20, nil},
		"many small ones are merged": {[]version{{"a", 5, 10, false}, {"a", 4, 15_000, false}, {"a", 3, 50_000, false}, {"b", 2, 7, false}}, 17, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			census := census{floor: 6}
			for _, v := range c.versions {
				census.add([]byte(v.key), v.version, v.size, v.deleted)
			}
			census.next(nil)
			var dead []string
			for _, k := range census.dead {
				dead = append(dead, string(k))
			}
			if needed := census.sizes.total(); needed != c.needed || !slices.Equal(dead, c.dead) {
				t.Errorf("%d bytes are needed, and %q has dead versions, want %d, %q", needed, dead, c.needed, c.dead)
			}
		})
	}
}

func TestTouchedKeysKeepWhatIsNeeded(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), MemTableSize: 1 << 20, HistoryCount: 3, MinFree: 1}
	s := openStore(t, c)
	value := func(i int) string { return fmt.Sprintf("%070000d", i) }
	for i := range 10 {
		put(t, s, "a", value(i), persistence.Unsynced())
	}
	must(t, s.trim(t.Context(), false))
	for range 2 {
		must(t, s.touch(t.Context(), [][]byte{recordKey("a"), recordKey("never was")}))
		wantValue(t, s, "a", value(9))
		must(t, s.Compact(t.Context()))
		wantValue(t, s, "a", value(9))
		if r, err := watchable(t, s, s.Stats().History); err != nil || r != s.Stats().History+1 {
			t.Errorf("the watch begins with %d, %v", r, err)
		}
		must(t, s.Close())
		s = openStore(t, c)
	}
	found, err := s.survey(t.Context())
	must(t, err)
	needed, dead := found.sizes.total(), found.dead
	if kept := int64(s.Stats().Revision - s.Stats().History + 1); needed > kept*71_000 || len(dead) > 0 {
		t.Errorf("after compaction %d bytes are needed of %d versions, and %q has others", needed, kept, dead)
	}
}

func TestHistoryIsLimitedInSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{HistorySize: 1 << 20})
		defer s.Close()
		for i := range 100 {
			put(t, s, fmt.Sprint(i%3), string(make([]byte, 100_000)))
		}
		<-time.After(2 * tick)
		synctest.Wait()
		if st := s.Stats(); st.History < 85 || st.History > 95 {
			t.Errorf("history is kept after %d of 100, want about 90: 1 MiB of 100 kB", st.History)
		}
	})
}

// records are the sizes of so many records.
func records(count int, size int64) (s sizes) {
	for range count {
		s.add(size)
	}
	return s
}

func TestTheLargestRecordsMayBeTheOnesThatWent(t *testing.T) {
	s := records(10, 1<<20)
	for range 1000 {
		s.add(100)
	}
	for gone, want := range map[int64]int64{0: 10<<20 + 100_000, 4: 6<<20 + 100_000, 10: 100_000, 510: 50_000, 2000: 0} {
		if got := s.without(gone); got != want {
			t.Errorf("without %d records there are at least %d bytes, want %d", gone, got, want)
		}
	}
}

func TestLargeValuesOverwrittenBySmallOnesAreCollected(t *testing.T) {
	t.Parallel()
	s := openStore(t, Config{Dir: t.TempDir(), HistoryCount: 10, MinFree: 1})
	defer s.Close()
	const keys = 1500
	for i := range keys {
		must(t, commitUnsynced(s, onePut(i, make([]byte, patternValue))))
	}
	must(t, s.Compact(t.Context()))
	s.compact <- struct{}{} // maintenance does not collect meanwhile
	for i := range keys {
		must(t, commitUnsynced(s, onePut(i, []byte("small"))))
	}
	must(t, s.trim(t.Context(), false))
	if !s.pace.due() {
		t.Error("it is not time to collect what has been overwritten")
	}
	<-s.compact
	must(t, s.Compact(t.Context()))
	if size, err := sizeOf(s.config.Dir); err != nil || size > spareBytes {
		t.Errorf("the files have %d MiB, %v, when all is small", size>>20, err)
	}
}

func commitUnsynced(s *Store, x persistence.Transaction) error {
	_, err := s.Commit(context.Background(), x)
	return err
}

func TestWritersWaitWhereCollectionDoesNotKeepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(Config{Dir: "x"})
		log := slog.New(slog.DiscardHandler)
		p.wrote(1 << 40)
		if !p.due() || p.wait(t.Context(), nil, log) != nil {
			t.Error("a store that has not been measured is not measured, or writers wait for it")
		}
		p.collected(10<<20, records(10, 1<<20))
		p.wrote(40 << 20)
		if p.due() {
			t.Error("it is due with 50 MiB, of 3 times 10 and 64")
		}
		p.wrote(30 << 20)
		if !p.due() || p.full() != nil {
			t.Error("it is not due with 80 MiB, or writers wait")
		}
		p.wrote(20 << 20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.wait(ctx, nil, log); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a writer that would go beyond the bound: %v, want that it waits", err)
		}
		woken := make(chan error, 1)
		go func() { woken <- p.wait(t.Context(), nil, log) }()
		synctest.Wait()
		p.collected(30<<20, records(10, 1<<20))
		if err := <-woken; err != nil {
			t.Error(err)
		}
		// What cannot be collected keeps nobody waiting, nor does a failure.
		p.collected(1<<30, records(10, 1<<20))
		if p.full() != nil {
			t.Error("writers wait for what cannot be collected")
		}
		p.wrote(1 << 30)
		p.gaveUp()
		if p.full() != nil {
			t.Error("writers wait for a collection that has failed")
		}
		// What may have been deleted or overwritten is no reason to keep files.
		p.collected(300<<20, records(200, 1<<20))
		p.forgot(190)
		if !p.due() {
			t.Error("it is not due when most has been deleted")
		}
		closed := make(chan struct{})
		close(closed)
		p.wrote(1 << 30)
		if err := p.wait(t.Context(), closed, log); err != nil {
			t.Errorf("a writer of a store that was closed: %v", err)
		}
	})
}
