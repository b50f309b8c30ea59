package badger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
)

func TestASyncReachesTheNewestMemtable(t *testing.T) {
	c := Config{Dir: t.TempDir(), MemTableSize: 1 << 20, MinFree: 1}
	value := strings.Repeat("v", valueThreshold/2)
	for _, way := range []struct {
		name   string
		rounds int
		write  func(s *Store, n int)
	}{
		{"synced writes", 120, func(s *Store, n int) { put(t, s, fmt.Sprint(n), value) }},
		{"unsynced writes before a synced one", 3, func(s *Store, n int) {
			for i := range 200 {
				put(t, s, fmt.Sprint(n, "-", i), value, persistence.Unsynced())
			}
			put(t, s, fmt.Sprint(n), value)
		}},
		{"a group of several memtables", 3, func(s *Store, n int) {
			_, err := s.submit(t.Context(), true, func(b *batch) (persistence.Revision, error) {
				for i := range 200 {
					b.last++
					b.set([]byte(fmt.Sprint(string(spaceScratch), n, "-", i)), []byte(value))
					b.logged = append(b.logged, logEntry{revision: b.last})
					if err := b.flush(); err != nil {
						return 0, err
					}
				}
				return b.last, nil
			})
			must(t, err)
		}},
		{"a log that went meanwhile", 60, func(s *Store, n int) {
			put(t, s, fmt.Sprint(n), value)
			must(t, s.disk.logs.Close())
			put(t, s, fmt.Sprint(n), value)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			s := openStore(t, c)
			first := newestMemtable(t, c.Dir)
			for n := range way.rounds {
				way.write(s, n)
				newest, synced := newestMemtable(t, c.Dir), s.disk.logs.Synced()
				if newest != synced {
					t.Fatalf("after %d writes %s was synced, and %s is the newest", n+1, synced, newest)
				}
			}
			if newestMemtable(t, c.Dir) == first {
				t.Error("no write began another memtable")
			}
			must(t, s.Close())
		})
	}
}

func newestMemtable(t *testing.T, dir string) string {
	logs, err := badgerfile.LogsIn(dir, badgerfile.MemtableSuffix)
	must(t, err)
	return logs[len(logs)-1]
}
