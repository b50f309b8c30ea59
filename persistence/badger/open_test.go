package badger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
)

func openStore(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), c)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func put(t testing.TB, s persistence.Store, key, value string, options ...persistence.WriteOption) persistence.Revision {
	t.Helper()
	r, err := persistence.Put(t.Context(), s, key, []byte(value), options...)
	must(t, err)
	return r
}

func wantValue(t testing.TB, s persistence.Store, key, want string) {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil || string(r.Value) != want {
		t.Errorf("Get(%q) = %.40q, %v, want %.40q", key, r.Value, err, want)
	}
}

func wantNone(t testing.TB, s persistence.Store, key string) {
	t.Helper()
	if r, err := s.Get(t.Context(), key); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("Get(%q) = %+v, %v, want ErrNotFound", key, r, err)
	}
}

func TestSecondOpenIsRefusedUntilTheFirstCloses(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second Open: %v, want ErrLocked that names the directory", err)
	}
	put(t, s, "a", "1")
	must(t, s.Close())
	wantValue(t, openStore(t, Config{Dir: dir}), "a", "1")
}

func TestConfigThatMakesNoSenseIsInvalid(t *testing.T) {
	for _, c := range []Config{
		{Dir: t.TempDir(), EncryptionKey: []byte("short")},
		{EncryptionKey: []byte(damageKey)},
		{Dir: t.TempDir(), PreviousKey: []byte(damageKey)},
		{Dir: t.TempDir(), EncryptionKey: []byte(damageKey), PreviousKey: []byte("x")},
		{MemTableSize: 1},
		{MaxSize: -1},
		{HistoryCount: -1},
		{HistoryAge: -1},
	} {
		if s, err := Open(t.Context(), c); !errors.Is(err, persistence.ErrInvalid) {
			t.Errorf("Open(%+v) = %v, %v, want ErrInvalid", c, s, err)
		}
	}
}

func TestDirectoryOfSomethingElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "MANIFEST"), []byte("x"), 0o600))
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("Open beside files of Badger: %v, want ErrCorrupt", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(t.Context(), Config{Dir: file}); err == nil {
		t.Error("Open of a file succeeds")
	}
}

func TestDirectoryIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	openStore(t, Config{Dir: dir})
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

func TestOneTornPlaceOfTheMarkDoesNoHarm(t *testing.T) {
	for _, slot := range []int64{markSlot, 2 * markSlot} {
		dir := t.TempDir()
		s := openStore(t, Config{Dir: dir})
		put(t, s, "a", "1")
		put(t, s, "a", "2")
		must(t, s.Close())
		f, err := os.OpenFile(filepath.Join(dir, markName), os.O_RDWR, 0)
		must(t, err)
		_, err = f.WriteAt([]byte("torn"), slot)
		must(t, errors.Join(err, f.Close()))
		wantValue(t, openStore(t, Config{Dir: dir}), "a", "2")
	}
}

// crashImage copies the files of an open store: what a crash of the machine would
// leave if it had written everything. It does so again if Badger has added or removed a
// table meanwhile: the files are to be of one moment.
func crashImage(t testing.TB, dir string) string {
	t.Helper()
	files := func() (names []string) {
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		manifest, err := os.Stat(filepath.Join(dir, badger.ManifestFilename))
		must(t, err)
		return append(names, fmt.Sprint(manifest.Size()))
	}
	for {
		image := filepath.Join(t.TempDir(), "image")
		before := files()
		if err := copyStore(dir, image); slices.Equal(before, files()) {
			must(t, err)
			return image
		}
	}
}

func TestUnsyncedValueThatACrashLosesTakesWhatFollows(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	s.stop() // else maintenance syncs it after a while
	s.running.Wait()
	large := strings.Repeat("large", 20_000)
	synced := put(t, s, "a", "1")
	put(t, s, "lost", large, persistence.Unsynced())
	put(t, s, "after", "1", persistence.Unsynced())
	image := crashImage(t, dir)
	logs, err := badgerfile.LogsIn(image, badgerfile.ValueLogSuffix)
	must(t, err)
	content, err := os.ReadFile(logs[len(logs)-1])
	must(t, err)
	must(t, os.WriteFile(logs[len(logs)-1], bytes.ReplaceAll(content, []byte("large"), []byte{0, 0, 0, 0, 0}), 0o600))

	again := openStore(t, Config{Dir: image})
	wantValue(t, again, "a", "1")
	wantNone(t, again, "lost")
	wantNone(t, again, "after")
	if r := put(t, again, "b", "1"); r != synced+1 {
		t.Errorf("the store goes on at revision %d, want %d", r, synced+1)
	}
}

func TestSyncedTransactionCarriesThoseBeforeIt(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir, MemTableSize: 1 << 20})
	s.stop()
	s.running.Wait()
	for i := range 300 { // into several memtables
		put(t, s, fmt.Sprint(i), strings.Repeat("x", 10_000), persistence.Unsynced())
	}
	if s.disk.mark.durable() != 0 {
		t.Fatal("unsynced transactions count as durable")
	}
	r := put(t, s, "a", "1")
	if got := s.disk.mark.durable(); got != r {
		t.Errorf("durable up to %d, want %d", got, r)
	}
	again := openStore(t, Config{Dir: crashImage(t, dir), MemTableSize: 1 << 20})
	if st := again.Stats(); st.Revision != r {
		t.Errorf("revision %d after a crash, want %d", st.Revision, r)
	}
}

func TestMaintenanceSyncsWhatIsUnsynced(t *testing.T) {
	s := openStore(t, Config{Dir: t.TempDir()})
	r := put(t, s, "a", "1", persistence.Unsynced())
	must(t, s.catchUp())
	if got := s.disk.mark.durable(); got != r {
		t.Errorf("durable up to %d, want %d", got, r)
	}
}

func TestCrashBetweenFilesDoesNotKeepAStoreFromOpening(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	put(t, s, "a", "1")
	image := crashImage(t, dir)
	for _, name := range []string{"00099.mem", "000099.vlog", "000099.sst", "MANIFEST-REWRITE", "REWRITE-KEYREGISTRY"} {
		must(t, os.WriteFile(filepath.Join(image, name), nil, 0o600))
	}
	wantValue(t, openStore(t, Config{Dir: image}), "a", "1")
}

func TestStoreLogsNothingToSpeakOf(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	for i := range 12 { // also when it is closed while it looks after itself
		s := openStore(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&out, nil))})
		put(t, s, "a", strings.Repeat("x", 1000*i))
		s.pace.signal()
		must(t, s.Close())
	}
	if out.Len() > 0 {
		t.Errorf("the store logs:\n%s", &out)
	}
}

func TestStoreOnlyReadsAfterAWriteHasFailed(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	must(t, err)
	put(t, s, "a", "1")
	moved := dir + "-moved"
	must(t, os.Rename(dir, moved)) // as good a failure of the disk as any
	s.disk.dirty.Store(true)
	s.space.mu.Lock()
	s.space.measure = time.Now().Add(time.Hour) // it would see the folder missing before
	s.space.mu.Unlock()
	for range 2 {
		if _, err := persistence.Put(t.Context(), s, "b", nil); !errors.Is(err, persistence.ErrFailed) {
			t.Errorf("Put on a broken disk: %v, want ErrFailed", err)
		}
	}
	must(t, os.Rename(moved, dir))
	wantValue(t, s, "a", "1")
	wantNone(t, s, "b")
	if st := s.Stats(); st.Revision != 1 {
		t.Errorf("revision %d, want that of the last write that succeeded", st.Revision)
	}
	if err := s.Close(); err == nil {
		t.Error("Close does not say that something is wrong")
	}
	again := openStore(t, Config{Dir: dir})
	wantValue(t, again, "a", "1")
	put(t, again, "c", "1")
}
