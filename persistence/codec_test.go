package persistence_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func roundTrip[T any](t *testing.T, v *persistence.View[T], want T) T {
	t.Helper()
	if _, err := v.Put(t.Context(), "k", want); err != nil {
		t.Fatalf("%T: %v", want, err)
	}
	got, err := v.Get(t.Context(), "k")
	if err != nil {
		t.Fatalf("%T: %v", want, err)
	}
	return got.Value
}

// failing has a part that cannot be decoded.
type failing struct{ Err error }

func TestViewRefusesWhatWouldNotComeBack(t *testing.T) {
	s := newStore(t)
	view := persistence.Of[failing](s, "a/")
	broken := persistence.Of[profile](s, "a/").WithCodec(nil)
	for what, v := range map[string]*persistence.View[failing]{"by default": view, "as JSON": view.WithCodec(actor.JSON{})} {
		errs := make(map[string]error)
		_, errs["Get"] = v.Get(t.Context(), "k")
		_, errs["List"] = v.List(t.Context(), persistence.Query{KeysOnly: true})
		_, _, errs["Current"] = v.Current(t.Context())
		_, errs["Put"] = v.Put(t.Context(), "k", failing{})
		_, errs["CompareAndSwap"] = v.CompareAndSwap(t.Context(), "k", 0, failing{})
		_, errs["Update"] = v.Update(t.Context(), "k", func(f failing) (failing, error) { t.Error("called"); return f, nil })
		_, errs["Delete"] = v.Delete(t.Context(), "k")
		for _, err := range v.Watch(t.Context(), 0) {
			errs["Watch"] = err
		}
		for method, err := range errs {
			if !errors.Is(err, persistence.ErrInvalid) || !strings.Contains(err.Error(), "Err of persistence_test.failing") {
				t.Errorf("%s %s: %v, want ErrInvalid that names the field", method, what, err)
			}
		}
	}
	if _, err := broken.Get(t.Context(), "k"); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("without a codec: %v", err)
	}
	if _, err := persistence.Of[any](s, "").Put(t.Context(), "k", map[int]int{1: 1}); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("a value that an interface cannot be decoded to: %v", err)
	}
	if _, err := persistence.Of[*profile](s, "").Put(t.Context(), "k", nil); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("nil, which would come back as a pointer to nothing: %v", err)
	}
	if got := roundTrip(t, persistence.Of[any](s, "any/"), any("x")); got != "x" {
		t.Errorf("got %v", got)
	}
}

// keeper tries a journal, a state and a reply whose types would not come back.
type keeper struct {
	started func(ctx *actor.Context) error
}

func (k *keeper) Started(ctx *actor.Context) error { return k.started(ctx) }

func TestActorsRefuseWhatWouldNotComeBack(t *testing.T) {
	store := newStore(t)
	for what, try := range map[string]func(ctx *actor.Context) error{
		"": func(ctx *actor.Context) error { // of another kind
			err := persistence.NewState[profile](store, persistence.Remember(1<<63-1)).Load(ctx)
			if !errors.Is(err, actor.InvalidArgument) {
				t.Errorf("Load with a Remember of 292 years: %v, want InvalidArgument", err)
			}
			return persistence.NewState[failing](store).Load(ctx)
		},
		"a state": func(ctx *actor.Context) error { return persistence.NewState[failing](store).Load(ctx) },
		"an event": func(ctx *actor.Context) error {
			return persistence.NewJournal(store, func(failing) {}, persistence.EventType[failing]("f")).Recover(ctx)
		},
		"a snapshot": func(ctx *actor.Context) error {
			return persistence.NewJournal(store, func(profile) {}, persistence.EventType[profile]("p"),
				persistence.SnapshotEvery(1, func() (f failing) { return f }, func(failing) {})).Recover(ctx)
		},
		"a reply": func(ctx *actor.Context) error {
			s := persistence.NewState[profile](store)
			if err := s.Load(ctx); err != nil {
				t.Error(err)
			}
			_, err := persistence.SaveOnce(ctx, s, "key", func(p profile) (failing, profile, error) {
				t.Error("the reply was made")
				return failing{}, p, nil
			})
			return err
		},
	} {
		system, result := newSystem(t), make(chan error, 1)
		k := &keeper{func(ctx *actor.Context) error { result <- try(ctx); return nil }}
		spawn(t, system, actor.Define("keeper", func() *keeper { return k },
			actor.OnCall(func(*keeper, *actor.Context, Wake) (Awake, error) { return Awake{}, nil })))
		if err := <-result; !errors.Is(err, actor.InvalidArgument) || !strings.Contains(err.Error(), "Err of persistence_test.failing") {
			t.Errorf("%s: %v, want InvalidArgument that names the field", what, err)
		}
	}
	if left := keys(t, store, ""); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}
