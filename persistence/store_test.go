package persistence_test

import (
	"testing"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/storetest"
)

func open(t testing.TB, config persistence.Config) *persistence.Badger {
	t.Helper()
	s, err := persistence.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) persistence.Store { return open(t, persistence.Config{}) })
}

func TestStoreOnDisk(t *testing.T) {
	dirs := map[persistence.Store]string{}
	storetest.Run(t, func(t *testing.T) persistence.Store {
		dir := t.TempDir()
		s := open(t, persistence.Config{Dir: dir})
		dirs[s] = dir
		return s
	}, storetest.Restart(func(t *testing.T, s persistence.Store) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, persistence.Config{Dir: dirs[s]})
		dirs[again] = dirs[s]
		return again
	}))
}

func TestStoreEncrypted(t *testing.T) {
	dirs := map[persistence.Store]string{}
	key := []byte("0123456789abcdef")
	storetest.Run(t, func(t *testing.T) persistence.Store {
		dir := t.TempDir()
		s := open(t, persistence.Config{Dir: dir, EncryptionKey: key})
		dirs[s] = dir
		return s
	}, storetest.Restart(func(t *testing.T, s persistence.Store) persistence.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, persistence.Config{Dir: dirs[s], EncryptionKey: key})
		dirs[again] = dirs[s]
		return again
	}))
}

func TestNamespaceIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) persistence.Store {
		parent := open(t, persistence.Config{})
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
