package badger_test

import (
	"testing"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
	"github.com/troupe-go/troupe/persistence/storetest"
)

func open(t testing.TB, config badger.Config) *badger.Store {
	t.Helper()
	s, err := badger.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreInMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) persistence.Store { return open(t, badger.Config{}) })
}

func TestStoreOnDisk(t *testing.T) {
	t.Parallel()
	dirs := map[persistence.Store]string{}
	storetest.Run(t, func(t *testing.T) persistence.Store {
		dir := t.TempDir()
		s := open(t, badger.Config{Dir: dir})
		dirs[s] = dir
		return s
	}, storetest.Restart(func(t *testing.T, s persistence.Store) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, badger.Config{Dir: dirs[s]})
		dirs[again] = dirs[s]
		return again
	}))
}

func TestStoreEncrypted(t *testing.T) {
	t.Parallel()
	dirs := map[persistence.Store]string{}
	key := []byte("0123456789abcdef")
	storetest.Run(t, func(t *testing.T) persistence.Store {
		dir := t.TempDir()
		s := open(t, badger.Config{Dir: dir, EncryptionKey: key})
		dirs[s] = dir
		return s
	}, storetest.Restart(func(t *testing.T, s persistence.Store) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, badger.Config{Dir: dirs[s], EncryptionKey: key})
		dirs[again] = dirs[s]
		return again
	}))
}

func TestNamespaceIsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) persistence.Store {
		parent := open(t, badger.Config{})
		s := &owned{Store: persistence.Namespace(parent, "some name"), parent: parent}
		return s
	})
}

// owned closes the store behind a namespace.
type owned struct {
	persistence.Store
	parent persistence.Store
}

func (o *owned) Close() error { return o.parent.Close() }
