package badger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/settings"
)

func TestValueLogIsCollected(t *testing.T) {
	c := Config{Dir: t.TempDir(), MemTableSize: 1 << 20, HistoryCount: 1, MinFree: 1}
	s := openStore(t, c)
	value := func(i int) string { return strings.Repeat(fmt.Sprintf("%08d", i), 8000) }
	for i := range 400 { // 25 MB in files of 4, of which a few records stay
		put(t, s, fmt.Sprint(i%20), value(i), persistence.Unsynced())
		if i%100 == 0 {
			put(t, s, fmt.Sprint("stays", i), value(i), persistence.Unsynced())
		}
	}
	before, err := sizeOf(c.Dir)
	must(t, err)
	must(t, s.trim(t.Context(), true))
	must(t, s.Compact(t.Context()))
	after, err := sizeOf(c.Dir)
	must(t, err)
	if st := s.Stats(); st.Collections == 0 || after > before/2 {
		t.Errorf("%d files were collected; the store has %d bytes, after %d", st.Collections, after, before)
	}
	for range 2 {
		for i := 380; i < 400; i++ {
			wantValue(t, s, fmt.Sprint(i%20), value(i))
		}
		for i := 0; i < 400; i += 100 {
			wantValue(t, s, fmt.Sprint("stays", i), value(i))
		}
		must(t, s.Close())
		s = openStore(t, c)
	}
}

func TestCrashDuringCollectionLosesNothing(t *testing.T) {
	c := Config{Dir: t.TempDir(), MemTableSize: 1 << 20, HistoryCount: 1, MinFree: 1}
	s := openStore(t, c)
	value := func(i int) string { return strings.Repeat(fmt.Sprintf("%08d", i), 8000) }
	for i := range 200 {
		put(t, s, fmt.Sprint(i%20), value(i), persistence.Unsynced())
		put(t, s, fmt.Sprint("stays", i%10), value(i%10), persistence.Unsynced())
	}
	must(t, s.trim(t.Context(), true))
	must(t, s.Compact(t.Context()))
	image := crashImage(t, c.Dir)
	put(t, s, "0", "x")
	again := openStore(t, Config{Dir: image, MemTableSize: 1 << 20, MinFree: 1})
	for i := 180; i < 200; i++ {
		wantValue(t, again, fmt.Sprint(i%20), value(i))
		wantValue(t, again, fmt.Sprint("stays", i%10), value(i%10))
	}
}

func TestFullStoreOnlyDeletesUntilThereIsRoom(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		c := Config{Dir: dir, MemTableSize: 1 << 20, MaxSize: 8 << 20, MinFree: 1}
		s := openStore(t, c)
		s.stop() // the test does what maintenance would
		s.running.Wait()
		random := rand.New(rand.NewPCG(1, 2))
		value := func() []byte {
			v := make([]byte, 10_000)
			for i := range v {
				v[i] = byte(random.Uint32())
			}
			return v
		}
		n := 0
		var err error
		for ; err == nil; n++ {
			_, err = persistence.Put(t.Context(), s, fmt.Sprint(n), value(), persistence.Unsynced())
		}
		n--
		if !errors.Is(err, persistence.ErrFull) {
			t.Fatalf("Put into a full store: %v, want ErrFull", err)
		}
		if n < 300 {
			t.Errorf("a store of 8 MiB is full with %d records of 10 kB", n)
		}
		for i := range n {
			if _, err := s.Get(t.Context(), fmt.Sprint(i)); err != nil {
				t.Fatalf("record %d of a full store: %v", i, err)
			}
			if _, err := persistence.Delete(t.Context(), s, fmt.Sprint(i), persistence.Unsynced()); err != nil {
				t.Fatalf("Delete in a full store: %v", err)
			}
		}
		if !s.space.wasRefused() {
			t.Error("maintenance is not told that the store is full")
		}
		must(t, s.trim(t.Context(), true))
		must(t, s.Compact(t.Context()))
		s.space.again()
		if _, err := persistence.Put(t.Context(), s, "a", value()); err != nil {
			t.Errorf("Put after everything was deleted: %v", err)
		}
	}
}

func TestDiskWithoutRoomRefusesWrites(t *testing.T) {
	dir := t.TempDir()
	put(t, openStore(t, Config{Dir: dir}), "a", "1")
	free, err := freeSpace(dir)
	must(t, err)
	s := openStore(t, Config{Dir: t.TempDir(), MinFree: settings.Size(free * 3)})
	if _, err := persistence.Put(t.Context(), s, "a", nil); !errors.Is(err, persistence.ErrFull) || !strings.Contains(err.Error(), "MinFree") {
		t.Errorf("Put with less free than MinFree: %v, want ErrFull and what to do", err)
	}
	if _, err := persistence.Latest(t.Context(), s); err != nil {
		t.Errorf("a transaction without changes: %v", err)
	}
}

func TestMaintenanceReclaimsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{MemTableSize: 1 << 20, MaxSize: 4 << 20})
		defer s.Close()
		var err error
		n := 0
		for ; err == nil; n++ {
			_, err = persistence.Put(t.Context(), s, fmt.Sprint(n), make([]byte, 10_000))
			<-time.After(10 * time.Millisecond)
		}
		for i := range n {
			_, err := persistence.Delete(t.Context(), s, fmt.Sprint(i))
			must(t, err)
		}
		<-time.After(time.Hour)
		if _, err := persistence.Put(t.Context(), s, "a", nil); err != nil {
			t.Errorf("Put after an hour: %v", err)
		}
		if st := s.Stats(); st.Compactions == 0 {
			t.Error("a store that was full was not compacted")
		}
	})
}

func TestBackoffGrowsUntilSomethingIsUseful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff{least: time.Second, most: 5 * time.Second}
		for _, step := range []struct {
			useful bool
			wait   time.Duration
		}{{false, 1}, {false, 2}, {false, 4}, {false, 5}, {true, 1}, {false, 2}} {
			if !b.due() {
				t.Fatal("it is not due")
			}
			b.done(step.useful)
			<-time.After(step.wait*time.Second - 1)
			if b.due() {
				t.Errorf("it is due before %v", step.wait*time.Second)
			}
			<-time.After(1)
		}
	})
}
