package persistence_test

import (
	"errors"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// The history of one event. The first version counted cents; the second had them as
// text; the third is Deposited.
type (
	depositedV1 struct{ Cents int }
	depositedV2 struct{ Text string }
)

func toV2(old depositedV1) (depositedV2, error) {
	if old.Cents < 0 {
		return depositedV2{}, errOverdrawn
	}
	if old.Cents == 1200 {
		return depositedV2{"twelve"}, nil
	}
	return depositedV2{"one"}, nil
}

func toV3(old depositedV2) (Deposited, error) {
	return Deposited{map[string]int{"one": 1, "twelve": 12}[old.Text]}, nil
}

func evolved(store persistence.Store, upcasters ...persistence.Upcaster) actor.Definition[Account] {
	return accountsOf(store, func(*account) []persistence.JournalOption {
		return []persistence.JournalOption{persistence.EventType[Deposited]("deposited", upcasters...)}
	})
}

func version(n string) map[string]string {
	return map[string]string{"type": "deposited", "version": n, "content-type": "application/json"}
}

func TestEventsOfAllVersionsAreReadAsTheLatest(t *testing.T) {
	store := newStore(t)
	put(t, store, event(1), `{"Cents":1200}`, version("1"))
	put(t, store, event(2), `{"Text":"one"}`, version("2"))
	put(t, store, event(3), `{"Amount":100}`, version("3"))
	ref := spawn(t, newSystem(t), evolved(store, persistence.Upcast(1, toV2), persistence.Upcast(2, toV3)))
	if got := ask(t, ref, Look{}); got != (Balance{113, 3}) {
		t.Errorf("%+v", got)
	}
	ask(t, ref, Deposit{Amounts: []int{1000}})
	r, err := store.Get(t.Context(), event(4))
	if err != nil || r.Metadata["version"] != "3" {
		t.Errorf("a new event has the metadata %v (%v)", r.Metadata, err)
	}
}

func TestAnUpcasterThatIsGoneMakesItsVersionUnknown(t *testing.T) {
	store := newStore(t)
	put(t, store, event(1), `{"Text":"one"}`, version("2"))
	if got := ask(t, spawn(t, newSystem(t), evolved(store, persistence.Upcast(2, toV3))), Look{}); got.Amount != 1 {
		t.Errorf("%+v", got)
	}
	put(t, store, event(1), `{"Cents":1200}`, version("1"))
	if failure := startFailure(t, evolved(store, persistence.Upcast(2, toV3))); !errors.Is(failure, persistence.ErrUnknownType) {
		t.Errorf("the actor failed with %v", failure)
	}
}

func TestAnUpcasterMayRefuse(t *testing.T) {
	store := newStore(t)
	put(t, store, event(1), `{"Cents":-1}`, version("1"))
	failure := startFailure(t, evolved(store, persistence.Upcast(1, toV2), persistence.Upcast(2, toV3)))
	if !errors.Is(failure, errOverdrawn) {
		t.Errorf("the actor failed with %v", failure)
	}
}

func FuzzRecordsOfAJournal(f *testing.F) {
	f.Add([]byte(`{"Amount":1}`), "deposited", "3", "application/json")
	f.Add([]byte("\x81\xa6Amount\x01"), "deposited", "3", "application/msgpack")
	f.Add([]byte(`{"Cents":1}`), "deposited", "1", "application/json")
	f.Add([]byte{}, "", "-1", "text/plain")
	store := newStore(f)
	f.Fuzz(func(t *testing.T, value []byte, kind, version, contentType string) {
		put(t, store, event(1), string(value), map[string]string{"type": kind, "version": version, "content-type": contentType})
		definition := evolved(store, persistence.Upcast(1, toV2), persistence.Upcast(2, toV3)).
			With(actor.Supervised(actor.Supervision{Decide: func(failure any) actor.Directive {
				if _, planned := failure.(error); !planned {
					t.Errorf("it panicked: %v", failure)
				}
				return actor.Stop
			}}))
		_, _ = actor.Ask(t.Context(), spawn(t, newSystem(t), definition), Look{})
	})
}
