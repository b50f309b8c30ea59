package badger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
)

// A copy to memory may write its first bytes last (Go's does, of up to 32). So a kill can
// leave the rest of an entry, behind zeros.
func TestAKillBeforeTheBeginningOfALargeValueIsWritten(t *testing.T) {
	for _, key := range []string{"", "0123456789abcdef"} {
		for _, test := range []struct {
			name    string
			zeros   int // at the beginning
			missing int // at the end
			behind  bool
			opens   bool
		}{
			{"one byte", 1, 200, false, true},
			{"the length", 3, 200, false, true},
			{"all that may be", 32, 200, false, true},
			{"all that may be, and nothing else", 32, 0, false, true},
			{"more than that", 33, 0, false, false},
			{"but another entry is behind it", 32, 0, true, false},
			{"but another entry is behind what was not written", 32, 200, true, false},
		} {
			t.Run(fmt.Sprintf("%s, key of %d", test.name, len(key)), func(t *testing.T) {
				c := Config{Dir: t.TempDir(), MemTableSize: 1 << 20, MinFree: 1, EncryptionKey: []byte(key)}
				s := openStore(t, c)
				large := func(i int) string { return string(bytes.Repeat([]byte{byte('a' + i)}, valueThreshold+1000)) }
				for i := range 3 {
					put(t, s, fmt.Sprint(i), large(i))
				}
				image := crashImage(t, c.Dir)
				logs, err := badgerfile.LogsIn(image, badgerfile.ValueLogSuffix)
				must(t, err)
				path := logs[len(logs)-1]
				spoil(t, path, test.zeros, test.missing, test.behind)
				c.Dir = image
				again, err := Open(t.Context(), c)
				if !test.opens {
					if !errors.Is(err, persistence.ErrCorrupt) {
						t.Errorf("opened: %v", err)
					}
					return
				}
				must(t, err)
				for i := range 3 {
					wantValue(t, again, fmt.Sprint(i), large(i))
				}
				must(t, again.Close())
			})
		}
	}
}

// spoil adds a copy of the last of three entries of a log, as far as that was written
// before a kill.
func spoil(t *testing.T, path string, zeros, missing int, behind bool) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	entries := bytes.TrimRight(content[badgerfile.LogHeaderSize:], "\x00")
	length := (len(entries) + 2) / 3 // a checksum may end with zeros
	whole := content[badgerfile.LogHeaderSize : badgerfile.LogHeaderSize+length]
	entry := bytes.Clone(whole)
	copy(entry, make([]byte, zeros))
	if zeros >= badgerfile.MayBeLast && entry[zeros] == 0 { // by chance, if it is encrypted
		entry[zeros] = 1
	}
	clear(entry[len(entry)-missing:])
	if behind {
		entry = append(entry, whole...)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(entry, int64(badgerfile.LogHeaderSize+3*length))
	must(t, errors.Join(err, f.Close()))
}
