package persistence_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// The protocol of a cart, whose state is one value.
type (
	Shopper struct{}

	Put struct {
		actor.Call[Shopper, Cart]
		Key, Item string // the key may be empty
	}
	Show  struct{ actor.Call[Shopper, Cart] }
	Leave struct{ actor.Call[Shopper, Cart] }

	Cart struct{ Items []string }
)

type cart struct{ state *persistence.State[Cart] }

func carts(store persistence.Store, options ...persistence.StateOption) actor.Definition[Shopper] {
	return actor.Define("cart", func() *cart { return &cart{persistence.NewState[Cart](store, options...)} },
		actor.OnCall((*cart).put), actor.OnCall((*cart).show), actor.OnCall((*cart).leave))
}

func (c *cart) Started(ctx *actor.Context) error { return c.state.Load(ctx) }

func (c *cart) put(ctx *actor.Context, m Put) (Cart, error) {
	with := func(now Cart) Cart { return Cart{append(slices.Clip(now.Items), m.Item)} }
	if m.Key == "" {
		c.state.Save(ctx, with(c.state.Value()))
		return c.state.Value(), nil
	}
	return persistence.SaveOnce(ctx, c.state, m.Key, func(now Cart) (Cart, Cart, error) {
		if m.Item == "" {
			return Cart{}, Cart{}, actor.Errorf(actor.InvalidArgument, "no item")
		}
		return with(now), with(now), nil
	})
}

func (c *cart) show(*actor.Context, Show) (Cart, error) { return c.state.Value(), nil }

func (c *cart) leave(ctx *actor.Context, m Leave) (Cart, error) {
	c.state.Delete(ctx)
	return c.state.Value(), nil
}

func TestAnActorComesBackWithTheStateItHasSaved(t *testing.T) {
	store := newStore(t)
	system := newSystem(t)
	ref := spawn(t, system, carts(store))
	if got := ask(t, ref, Show{}); len(got.Items) > 0 {
		t.Errorf("at first: %v", got)
	}
	ask(t, ref, Put{Item: "a"})
	ask(t, ref, Put{Item: "b"})
	stop(t, system, ref)
	ref = spawn(t, system, carts(store))
	if got := ask(t, ref, Show{}); !slices.Equal(got.Items, []string{"a", "b"}) {
		t.Errorf("after a restart: %v", got)
	}
}

func TestADeletedStateIsZeroAndCanBeSavedAgain(t *testing.T) {
	store := newStore(t)
	ref := spawn(t, newSystem(t), carts(store))
	ask(t, ref, Leave{}) // of nothing
	ask(t, ref, Put{Item: "a"})
	if got := ask(t, ref, Leave{}); len(got.Items) > 0 {
		t.Errorf("deleted: %v", got)
	}
	if got := keys(t, store, ""); len(got) > 0 {
		t.Errorf("keys %q", got)
	}
	if got := ask(t, ref, Put{Item: "b"}); !slices.Equal(got.Items, []string{"b"}) {
		t.Errorf("saved again: %v", got)
	}
}

func TestOfTwoSaversOneFailsAndCatchesUp(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, ref actor.Ref[Shopper]){
		"create":           func(t *testing.T, ref actor.Ref[Shopper]) { ask(t, ref, Put{Item: "a"}) },
		"create and leave": func(t *testing.T, ref actor.Ref[Shopper]) { ask(t, ref, Put{Item: "a"}); ask(t, ref, Put{Item: "a"}) },
	} {
		t.Run(what, func(t *testing.T) {
			store := newStore(t)
			one, two := spawn(t, newSystem(t), carts(store)), spawn(t, newSystem(t), carts(store))
			ask(t, one, Show{})
			ask(t, two, Show{})
			change(t, one)
			if _, err := actor.Ask(t.Context(), two, Put{Item: "b"}); !errors.Is(err, persistence.ErrConflict) {
				t.Fatalf("the saver that fell behind got %v", err)
			}
			want := append(ask(t, one, Show{}).Items, "b")
			if got := ask(t, two, Put{Item: "b"}); !slices.Equal(got.Items, want) {
				t.Errorf("after it caught up: %v", got)
			}
		})
	}
}

func TestSaveOnceSavesOnceWhateverFails(t *testing.T) {
	for _, what := range []fault{refused, unheard} {
		calls := 1
		for call := 1; call <= calls; call++ {
			store := &faulty{Store: newStore(t)}
			ref := spawn(t, newSystem(t), carts(store).With(fast))
			store.failing(func(n int, method string) fault {
				if n != call || what == unheard && method != "Commit" {
					return none
				}
				return what
			})
			for _, item := range []string{"a", "b", "c"} {
				for err := errors.New("not sent"); err != nil; {
					_, err = actor.Ask(t.Context(), ref, Put{Key: item, Item: item})
				}
			}
			calls = max(calls, store.callCount())
			if got := ask(t, ref, Show{}); !slices.Equal(got.Items, []string{"a", "b", "c"}) {
				t.Errorf("fault %d at call %d: %v", what, call, got)
			}
		}
	}
}

func TestWhatSaveOnceRefusedIsDecidedAnew(t *testing.T) {
	ref := spawn(t, newSystem(t), carts(newStore(t)))
	if _, err := actor.Ask(t.Context(), ref, Put{Key: "k"}); !errors.Is(err, actor.InvalidArgument) {
		t.Errorf("got %v", err)
	}
	first := ask(t, ref, Put{Key: "k", Item: "a"})
	if again := ask(t, ref, Put{Key: "k"}); !slices.Equal(first.Items, again.Items) {
		t.Errorf("%v, then %v", first, again)
	}
}

func TestOldStatesAreUpcast(t *testing.T) {
	type cartV1 struct{ Count int }
	store := newStore(t)
	put(t, store, "cart#state", `{"Count":2}`, map[string]string{"version": "1", "content-type": "application/json"})
	ref := spawn(t, newSystem(t), carts(store, persistence.Upcast(1, func(old cartV1) (Cart, error) {
		return Cart{make([]string, old.Count)}, nil
	})))
	if got := ask(t, ref, Put{Item: "a"}); len(got.Items) != 3 {
		t.Errorf("%v", got)
	}
	r, err := store.Get(t.Context(), "cart#state")
	if err != nil || r.Metadata["version"] != "2" {
		t.Errorf("saved with %v (%v)", r.Metadata, err)
	}
}

func TestAStateThatCannotBeReadKeepsTheActorFromStarting(t *testing.T) {
	for _, c := range []struct {
		version string
		options []persistence.StateOption
		want    error
	}{
		{"2", nil, persistence.ErrUnknownType},
		{"1", nil, actor.DataLoss},
		{"", nil, actor.DataLoss},
		{"1", []persistence.StateOption{persistence.Identity("#")}, actor.InvalidArgument},
		{"1", []persistence.StateOption{persistence.Upcast(1, func(int) (string, error) { return "", nil })}, actor.InvalidArgument},
	} {
		t.Run(fmt.Sprint(c.version, c.want), func(t *testing.T) {
			store := newStore(t)
			put(t, store, "cart#state", "?", map[string]string{"version": c.version, "content-type": "application/json"})
			failures := make(chan any, 1)
			ref := spawn(t, newSystem(t), carts(store, c.options...).With(actor.Supervised(actor.Supervision{
				Decide: func(failure any) actor.Directive { failures <- failure; return actor.Stop },
			})))
			if _, err := actor.Ask(t.Context(), ref, Show{}); err == nil {
				t.Fatal("the actor has started")
			}
			if err, _ := (<-failures).(error); !errors.Is(err, c.want) {
				t.Errorf("the actor failed with %v", err)
			}
		})
	}
}

func TestAStateMustBeLoadedBeforeItIsSaved(t *testing.T) {
	for what, use := range map[string]func(ctx *actor.Context, s *persistence.State[Cart]){
		"Save":   func(ctx *actor.Context, s *persistence.State[Cart]) { s.Save(ctx, Cart{}) },
		"Delete": func(ctx *actor.Context, s *persistence.State[Cart]) { s.Delete(ctx) },
	} {
		ref := spawn(t, newSystem(t), misusing(newStore(t), func(ctx *actor.Context, _ *account) {
			use(ctx, persistence.NewState[Cart](newStore(t)))
		}))
		if _, err := actor.Ask(t.Context(), ref, Look{}); !errors.Is(err, actor.FailedPrecondition) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
