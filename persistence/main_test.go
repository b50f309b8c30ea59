package persistence_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/persistence/badger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, config badger.Config) *badger.Store {
	t.Helper()
	s, err := badger.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
