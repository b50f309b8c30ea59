package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func backup(t testing.TB, s *Store, since persistence.Revision) (*bytes.Buffer, persistence.Revision) {
	t.Helper()
	var out bytes.Buffer
	r, err := s.Backup(t.Context(), &out, since)
	must(t, err)
	return &out, r
}

func contentsOf(t testing.TB, s *Store) map[string]string {
	t.Helper()
	contents, err := dump(t.Context(), s)
	must(t, err)
	return contents
}

func TestBackupsRestoreEverything(t *testing.T) {
	for _, c := range []Config{{}, {Dir: t.TempDir()}, {Dir: t.TempDir(), EncryptionKey: []byte(firstKey)}} {
		s := openStore(t, c)
		put(t, s, "plain", "1")
		put(t, s, "", "empty key", persistence.Metadata(map[string]string{"k": "v"}))
		put(t, s, "large", strings.Repeat("x", 1<<20))
		put(t, s, "deleted", "1")
		put(t, s, "living", "1", persistence.TTL(time.Hour))
		full, first := backup(t, s, 0)
		put(t, s, "plain", "2")
		put(t, s, "new", "1")
		_, err := persistence.Delete(t.Context(), s, "deleted")
		must(t, err)
		put(t, s, "large", "no more")
		added, second := backup(t, s, first)
		same, third := backup(t, s, second)
		if third != second {
			t.Errorf("a backup of nothing new is at revision %d, want %d", third, second)
		}

		for _, target := range []Config{{}, {Dir: t.TempDir()}} {
			restored := openStore(t, target)
			// One is read as a file is, the others as a network connection.
			must(t, restored.Restore(t.Context(), bytes.NewReader(full.Bytes())))
			if r := restored.Stats().Revision; r != first {
				t.Errorf("a restored store is at revision %d, want %d", r, first)
			}
			must(t, restored.Restore(t.Context(), io.MultiReader(bytes.NewReader(added.Bytes()))))
			must(t, restored.Restore(t.Context(), io.MultiReader(bytes.NewReader(same.Bytes()))))
			for range 2 {
				if got, want := contentsOf(t, restored), contentsOf(t, s); !maps.Equal(got, want) {
					t.Errorf("restored %v, want %v", got, want)
				}
				living, err := restored.Get(t.Context(), "living")
				if err != nil || living.Expires.IsZero() {
					t.Errorf("%+v, %v, want a record with a time to live", living, err)
				}
				if target.Dir != "" {
					must(t, restored.Close())
					restored = openStore(t, target)
				}
			}
			if r := put(t, restored, "next", ""); r != second+1 {
				t.Errorf("revision %d after a restore of %d", r, second)
			}
			for _, err := range restored.Watch(t.Context(), "", first) {
				if !errors.Is(err, persistence.ErrHistoryGone) {
					t.Errorf("watching from before the restore: %v, want ErrHistoryGone", err)
				}
			}
			for c, err := range restored.Watch(t.Context(), "", second) {
				if err != nil || c.Revision != second+1 {
					t.Errorf("watching from the restore: %+v, %v", c, err)
				}
				break
			}
		}
	}
}

func TestRestoredRecordsStillExpire(t *testing.T) {
	var stream *bytes.Buffer
	for life, held := time.Millisecond, false; !held; life *= 4 { // until it has not gone before
		s := openStore(t, Config{})
		written := put(t, s, "short", "1", persistence.TTL(life))
		var through persistence.Revision
		stream, through = backup(t, s, 0)
		held = through == written
	}
	restored := openStore(t, Config{})
	must(t, restored.Restore(t.Context(), stream))
	for c, err := range restored.Watch(t.Context(), "", 1) {
		if err != nil || !c.Changes[0].Expired {
			t.Errorf("%+v, %v, want that the record has expired", c, err)
		}
		break
	}
}

func TestBackupThatDoesNotFitIsRefused(t *testing.T) {
	s := openStore(t, Config{})
	first := put(t, s, "a", "1")
	full, _ := backup(t, s, 0)
	put(t, s, "a", "2")
	added, _ := backup(t, s, first)
	if _, err := s.Backup(t.Context(), io.Discard, 99); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("a backup since the future: %v, want ErrInvalid", err)
	}
	if err := s.Restore(t.Context(), full); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("a full backup restored into a store with records: %v, want ErrInvalid", err)
	}
	empty := openStore(t, Config{})
	if err := empty.Restore(t.Context(), added); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("an incremental backup restored into an empty store: %v, want ErrInvalid", err)
	}
	put(t, empty, "b", "1") // it is as it was
}

func TestDamagedBackupChangesNothing(t *testing.T) {
	s := openStore(t, Config{})
	for i := range 50 {
		put(t, s, fmt.Sprint(i), strings.Repeat("x", i*10))
	}
	stream, _ := backup(t, s, 0)
	target := openStore(t, Config{})
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		damaged := bytes.Clone(stream.Bytes())
		if at := random.IntN(len(damaged)); random.IntN(2) == 0 {
			damaged = damaged[:at]
		} else {
			damaged[at] ^= 1 << random.IntN(8)
		}
		if err := target.Restore(t.Context(), bytes.NewReader(damaged)); !errors.Is(err, persistence.ErrCorrupt) {
			t.Fatalf("a damaged backup: %v, want ErrCorrupt", err)
		}
	}
	if st := target.Stats(); st.Revision != 0 {
		t.Errorf("damaged backups took the store to revision %d", st.Revision)
	}
	must(t, target.Restore(t.Context(), stream))
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("no more room")
	}
	return len(p), nil
}

func TestBackupSaysThatItCouldNotBeWritten(t *testing.T) {
	s := openStore(t, Config{})
	put(t, s, "a", strings.Repeat("x", 1<<20))
	if _, err := s.Backup(t.Context(), &failing{left: 1 << 19}, 0); err == nil {
		t.Error("Backup to a writer that fails succeeds")
	}
}

func TestInterruptedRestoreIsNoticed(t *testing.T) {
	s := openStore(t, Config{})
	for i := range 100 {
		put(t, s, fmt.Sprint(i), strings.Repeat("x", 10_000))
	}
	stream, _ := backup(t, s, 0)
	c := Config{Dir: t.TempDir(), MemTableSize: 1 << 20}
	target, err := Open(t.Context(), c)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	in := &cancelling{Reader: bytes.NewReader(stream.Bytes()), cancel: cancel, left: stream.Len() * 3 / 2}
	if err := target.Restore(ctx, in); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("a restore that is interrupted: %v, want ErrFailed", err)
	}
	if _, err := persistence.Put(t.Context(), target, "a", nil); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("Put after that: %v, want ErrFailed", err)
	}
	_ = target.Close()
	if _, err := Open(t.Context(), c); !errors.Is(err, persistence.ErrCorrupt) || !strings.Contains(err.Error(), "restore again") {
		t.Errorf("Open after that: %v, want ErrCorrupt and what to do", err)
	}
}

// cancelling ends a context after some bytes.
type cancelling struct {
	*bytes.Reader
	cancel func()
	left   int
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 4096)])
	if c.left -= n; c.left < 0 {
		c.cancel()
	}
	return n, err
}

func FuzzRestore(f *testing.F) {
	s, err := Open(context.Background(), Config{})
	must(f, err)
	put(f, s, "a", "1", persistence.Metadata(map[string]string{"k": "v"}))
	put(f, s, "b", "2")
	var full, added bytes.Buffer
	r, err := s.Backup(context.Background(), &full, 0)
	must(f, err)
	_, err = persistence.Delete(context.Background(), s, "a")
	must(f, err)
	_, err = s.Backup(context.Background(), &added, r)
	must(f, errors.Join(err, s.Close()))
	f.Add(full.Bytes())
	f.Add(added.Bytes())
	f.Add([]byte(backupMagic + backupVersion + "\n"))
	f.Add([]byte(backupMagic + "1.7\n"))
	f.Add([]byte(backupMagic + "2.0\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		err := readBackup(t.Context(), bytes.NewReader(stream), backupVisitor{
			header:   func(backupHeader) error { return nil },
			record:   func(persistence.Record) error { return nil },
			deletion: func(string) error { return nil },
		})
		if err != nil && !errors.Is(err, persistence.ErrCorrupt) && !errors.Is(err, persistence.ErrVersion) {
			t.Errorf("%v, want ErrCorrupt, ErrVersion or nothing", err)
		}
	})
}

// TestBackupFitsAStoreOfAnySettings restores records that are as large as a transaction
// of the store may be, and some that are larger.
func TestBackupFitsAStoreOfAnySettings(t *testing.T) {
	from := openStore(t, Config{})
	metadata := persistence.Metadata(map[string]string{"k": strings.Repeat("m", persistence.MaxMetadataSize-100)})
	for i := range 20 {
		put(t, from, fmt.Sprint(strings.Repeat("k", 10_000), i), strings.Repeat("v", 5000*(i%8)), metadata, persistence.TTL(time.Hour))
	}
	put(t, from, "large", strings.Repeat("v", 500_000))
	stream, _ := backup(t, from, 0)

	small := openStore(t, Config{Dir: t.TempDir(), MemTableSize: 1 << 20})
	must(t, small.Restore(t.Context(), bytes.NewReader(stream.Bytes())))
	want, err := from.List(t.Context(), persistence.Query{})
	must(t, err)
	got, err := small.List(t.Context(), persistence.Query{})
	if err != nil || !slices.EqualFunc(got, want, same) {
		t.Errorf("%d records, %v, want the %d that there were", len(got), err, len(want))
	}

	smaller := openStore(t, Config{MemTableSize: 1 << 20})
	if err := smaller.Restore(t.Context(), stream); !errors.Is(err, persistence.ErrInvalid) || !strings.Contains(err.Error(), "MemTableSize") {
		t.Errorf("Restore of a record that is too large: %v, want ErrInvalid and what to do", err)
	}
	put(t, smaller, "still", "works")
}
