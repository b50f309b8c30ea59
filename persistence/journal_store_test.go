package persistence_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// newStore returns a store in memory that ends with the test.
func newStore(t testing.TB) persistence.Store {
	t.Helper()
	return openStore(t, badger.Config{})
}

func openStore(t testing.TB, config badger.Config) persistence.Store {
	t.Helper()
	store, err := badger.Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// fault is what happens to one call of a faulty store.
type fault int

const (
	none    fault = iota
	refused       // an error, and nothing is done
	unheard       // it is done, but the answer is lost
)

var errInjected = errors.New("injected")

// faulty is a Store whose calls a test can make fail.
type faulty struct {
	persistence.Store
	mu    sync.Mutex
	calls int
	next  func(call int, method string) fault
}

// failing sets what goes wrong from now on, and counts calls from 1 again.
func (f *faulty) failing(next func(call int, method string) fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.calls = next, 0
}

func (f *faulty) callCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *faulty) enter(method string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.next == nil {
		return none
	}
	return f.next(f.calls, method)
}

func (f *faulty) Get(ctx context.Context, key string, options ...persistence.ReadOption) (persistence.Record, error) {
	if f.enter("Get") != none {
		return persistence.Record{}, errInjected
	}
	return f.Store.Get(ctx, key, options...)
}

func (f *faulty) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	if f.enter("List") != none {
		return nil, errInjected
	}
	return f.Store.List(ctx, q, options...)
}

func (f *faulty) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	what := f.enter("Commit")
	if what == refused {
		return 0, errInjected
	}
	revision, err := f.Store.Commit(ctx, t)
	if what == unheard {
		return 0, errInjected
	}
	return revision, err
}

// broken is a Store that can only be read.
type broken struct {
	persistence.Store
	failure error
}

func (b broken) Commit(context.Context, persistence.Transaction) (persistence.Revision, error) {
	return 0, b.failure
}

// keys returns the keys with a prefix, in order.
func keys(t *testing.T, s persistence.Store, prefix string) []string {
	t.Helper()
	records, err := s.List(t.Context(), persistence.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	found := make([]string, len(records))
	for i, r := range records {
		found[i] = r.Key
	}
	return found
}

// put writes one record past whoever owns it.
func put(t *testing.T, s persistence.Store, key, value string, metadata map[string]string) {
	t.Helper()
	change := persistence.Change{Key: key, Value: []byte(value), Metadata: metadata}
	if _, err := s.Commit(t.Context(), persistence.Transaction{Then: []persistence.Change{change}}); err != nil {
		t.Fatal(err)
	}
}
