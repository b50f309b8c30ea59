package badger

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

// files returns the contents of all files below dir, but for locks.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockName {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = string(content)
		return err
	}))
	return all
}

// rewriteHead makes the store in dir one of another version, and returns the header that
// it had.
func rewriteHead(t *testing.T, dir string, head []byte) (before []byte) {
	t.Helper()
	path := filepath.Join(dir, markName)
	content, err := os.ReadFile(path)
	must(t, err)
	before = bytes.Clone(content[:markHeader])
	copy(content, head)
	must(t, os.WriteFile(path, content, 0o600))
	return before
}

func wantUntouched(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	if len(before) != len(after) {
		t.Errorf("%s: there were %d files, and are %d", what, len(before), len(after))
	}
	for path, content := range before {
		if got, ok := after[path]; !ok || got != content {
			t.Errorf("%s: %s has changed, or is gone", what, path)
		}
	}
}

func TestTheFirstHeaderIsThatOfBefore(t *testing.T) {
	for encrypted, want := range map[bool]string{false: "troupe\x00\x01\x00\x00\x00\x00", true: "troupe\x00\x01\x01\x00\x00\x00"} {
		head := markHead{version.One(), encrypted}
		if got := string(head.encode()); got != want {
			t.Errorf("%q", got)
		}
		if got, ok := decodeMarkHead([]byte(want)); !ok || got != head {
			t.Errorf("%+v, %v", got, ok)
		}
	}
}

func TestAStoreOfAnotherMajorIsRefusedUntouched(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	put(t, s, "a", "1")
	must(t, s.Close())
	first := rewriteHead(t, dir, markHead{version.Version{Major: 2, Minor: 3}, false}.encode())
	before := files(t, dir)
	for _, config := range []Config{{Dir: dir}, {Dir: dir, EncryptionKey: bytes.Repeat([]byte{1}, 32)}} {
		_, err := Open(t.Context(), config)
		if !errors.Is(err, persistence.ErrVersion) || !strings.Contains(err.Error(), dir+" has version 2.3, this program reads 1.x") {
			t.Errorf("Open: %v", err)
		}
	}
	wantUntouched(t, "Open", before, files(t, dir))

	rewriteHead(t, dir, first) // the program that wrote it comes back
	wantValue(t, openStore(t, Config{Dir: dir}), "a", "1")
}

func TestAStoreOfAHigherMinorIsOpened(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	put(t, s, "a", "1")
	must(t, s.Close())
	later := markHead{version.Version{Major: 1, Minor: 9}, false}.encode()
	rewriteHead(t, dir, later)
	s = openStore(t, Config{Dir: dir})
	wantValue(t, s, "a", "1")
	put(t, s, "b", "2")
	must(t, s.Close())
	if head := rewriteHead(t, dir, later); !bytes.Equal(head, later) {
		t.Errorf("the header has become %q", head)
	}
}

func TestADamagedHeaderIsNoOtherVersion(t *testing.T) {
	head := markHead{version.One(), false}.encode()
	for i := range head {
		for bit := range 8 {
			damaged := bytes.Clone(head)
			damaged[i] ^= 1 << bit
			if h, ok := decodeMarkHead(damaged); ok && !(i == len(markMagic)+1 && h.encrypted) {
				t.Errorf("with a change of byte %d it says %+v", i, h)
			}
		}
	}
}

func TestAReplicaOfAnotherMajorIsRefusedUntouched(t *testing.T) {
	for _, folder := range []string{dataFolder, installingFolder, installedFolder} {
		t.Run(folder, func(t *testing.T) {
			dir := t.TempDir()
			r := openReplica(t, dir)
			mustApply(t, r, Entry{Index: 1, Transactions: []persistence.Transaction{putting("a", "1")}})
			must(t, r.Close())
			later := filepath.Join(dir, folder)
			if folder != dataFolder { // what a crash of a later program has left
				must(t, copyStore(filepath.Join(dir, dataFolder), later))
			}
			first := rewriteHead(t, later, markHead{version.Version{Major: 2}, false}.encode())
			before := files(t, dir)
			if _, err := OpenReplica(t.Context(), Config{Dir: dir}); !errors.Is(err, persistence.ErrVersion) || !strings.Contains(err.Error(), later) {
				t.Errorf("OpenReplica: %v", err)
			}
			wantUntouched(t, "OpenReplica", before, files(t, dir))

			rewriteHead(t, later, first)
			again := openReplica(t, dir)
			if record, err := again.Get(t.Context(), "a"); err != nil || string(record.Value) != "1" {
				t.Errorf("%+v, %v", record, err)
			}
		})
	}
}

func TestABackupOfAnotherVersion(t *testing.T) {
	s := openStore(t, Config{})
	put(t, s, "a", "1")
	// of returns the backup as a program of that version writes it, with a frame that
	// nobody knows before the last one.
	of := func(v string) *bytes.Buffer {
		var out bytes.Buffer
		w := &backupWriter{out: &out}
		w.write([]byte(backupMagic + v + "\n"))
		w.header(backupHeader{revision: 1})
		w.record(&persistence.Record{Key: "a", Value: []byte("1"), Revision: 1})
		if v != "1" && v != "1.0" {
			w.frame('x', []byte("new"))
		}
		w.end()
		must(t, w.err)
		return &out
	}
	for _, v := range []string{"1", "1.0", "1.4"} {
		into := openStore(t, Config{})
		must(t, into.Restore(t.Context(), of(v)))
		wantValue(t, into, "a", "1")
	}
	for v, want := range map[string]error{
		"2": persistence.ErrVersion, "2.1": persistence.ErrVersion,
		"": persistence.ErrCorrupt, "x": persistence.ErrCorrupt, "1.": persistence.ErrCorrupt, strings.Repeat("1", 100): persistence.ErrCorrupt,
	} {
		into := openStore(t, Config{})
		put(t, into, "b", "2")
		if err := into.Restore(t.Context(), of(v)); !errors.Is(err, want) {
			t.Errorf("a backup of version %q: %v", v, err)
		}
		wantValue(t, into, "b", "2")
		wantNone(t, into, "a")
	}
}
