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
)

const (
	firstKey  = "first key, 16 b."
	secondKey = "second key, that has 32 bytes..."
)

// contains looks for text in all files of dir.
func contains(t *testing.T, dir, text string) bool {
	found := false
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, path))
		found = found || bytes.Contains(content, []byte(text))
		return err
	}))
	return found
}

func TestEncryptedStoreShowsNothing(t *testing.T) {
	for _, key := range []string{"", firstKey} {
		dir := t.TempDir()
		s := openStore(t, Config{Dir: dir, EncryptionKey: []byte(key), MemTableSize: 1 << 20})
		put(t, s, "secret key", "secret value")
		put(t, s, "large", strings.Repeat("secret value", 5000))
		open := contains(t, dir, "secret")
		must(t, s.Close())
		if closed := contains(t, dir, "secret"); open != (key == "") || closed != (key == "") {
			t.Errorf("with key %q the files show what is in them: %t when open, %t when closed", key, open, closed)
		}
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	plain, encrypted := t.TempDir(), t.TempDir()
	s := openStore(t, Config{Dir: plain})
	put(t, s, "a", "1")
	must(t, s.Close())
	s = openStore(t, Config{Dir: encrypted, EncryptionKey: []byte(firstKey)})
	put(t, s, "a", "1")
	must(t, s.Close())
	for _, c := range []Config{
		{Dir: plain, EncryptionKey: []byte(firstKey)},
		{Dir: encrypted},
		{Dir: encrypted, EncryptionKey: []byte(secondKey)},
		{Dir: encrypted, EncryptionKey: []byte(secondKey), PreviousKey: []byte("third key, 16 b.")},
	} {
		if _, err := Open(t.Context(), c); !errors.Is(err, persistence.ErrInvalid) {
			t.Errorf("Open with the wrong key: %v, want ErrInvalid", err)
		}
	}
	wantValue(t, openStore(t, Config{Dir: encrypted, EncryptionKey: []byte(firstKey)}), "a", "1")
}

func TestKeyRotation(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir, EncryptionKey: []byte(firstKey)})
	put(t, s, "a", "1")
	must(t, s.Close())
	for range 2 { // the second time there is nothing to rotate
		s = openStore(t, Config{Dir: dir, EncryptionKey: []byte(secondKey), PreviousKey: []byte(firstKey)})
		wantValue(t, s, "a", "1")
		put(t, s, "b", "2")
		must(t, s.Close())
	}
	if _, err := Open(t.Context(), Config{Dir: dir, EncryptionKey: []byte(firstKey)}); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("Open with the old key after the rotation: %v, want ErrInvalid", err)
	}
	s = openStore(t, Config{Dir: dir, EncryptionKey: []byte(secondKey)})
	wantValue(t, s, "a", "1")
	wantValue(t, s, "b", "2")
}

func TestPreviousKeyDoesNoHarmToANewStore(t *testing.T) {
	s := openStore(t, Config{Dir: t.TempDir(), EncryptionKey: []byte(secondKey), PreviousKey: []byte(firstKey)})
	put(t, s, "a", "1")
	wantValue(t, s, "a", "1")
}
