package persistence_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// shelf holds protobuf messages as parts.
type shelf struct {
	Item  *structpb.Value
	Items map[string]*structpb.Value
}

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

func TestViewOfProtobufMessages(t *testing.T) {
	s, value := newStore(t), structpb.NewStringValue("x") // a oneof
	messages := persistence.Of[*structpb.Value](s, "message/")
	if got := roundTrip(t, messages, value); !proto.Equal(got, value) {
		t.Errorf("got %v", got)
	}
	if e, _ := messages.Get(t.Context(), "k"); e.Metadata["content-type"] != "application/protobuf" {
		t.Errorf("written as %v", e.Metadata)
	}
	for events, err := range messages.Watch(t.Context(), 0) {
		if err != nil || !proto.Equal(events.Events[0].Value, value) {
			t.Errorf("watched %v, %v", events, err)
		}
		break
	}
	if got := roundTrip(t, persistence.Of[structpb.Value](s, "value/"), *structpb.NewNumberValue(2)); got.GetNumberValue() != 2 { //nolint:govet // a view of values
		t.Errorf("got %v", got.GetKind())
	}
	if got := roundTrip(t, persistence.Of[shelf](s, "part/"), shelf{value, map[string]*structpb.Value{"y": value}}); !proto.Equal(got.Item, value) || !proto.Equal(got.Items["y"], value) {
		t.Errorf("got %v", got)
	}
	if got := roundTrip(t, messages.WithCodec(actor.NewMsgPack()), value); !proto.Equal(got, value) {
		t.Errorf("got %v in MessagePack", got)
	}
	if got := roundTrip(t, messages.WithCodec(actor.JSON{}), value); !proto.Equal(got, value) {
		t.Errorf("got %v in JSON", got)
	}
}

// TestViewReadsOldProtobufMessages reads what views wrote as MessagePack.
func TestViewReadsOldProtobufMessages(t *testing.T) {
	s := newStore(t)
	put(t, s, "old", "\x81\xa4Kind\xc0", map[string]string{"content-type": "application/msgpack"})
	e, err := persistence.Of[*structpb.Value](s, "").Get(t.Context(), "old")
	if err != nil || e.Value == nil || e.Value.Kind != nil {
		t.Errorf("%v, %v", e, err)
	}
	put(t, s, "old", "\x81\xa4Item\x81\xa4Kind\xc0", map[string]string{"content-type": "application/msgpack"})
	if e, err := persistence.Of[shelf](s, "").Get(t.Context(), "old"); err != nil || e.Value.Item == nil {
		t.Errorf("%v, %v", e, err)
	}
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

func TestStateOfProtobufMessages(t *testing.T) {
	store := newStore(t)
	for _, want := range []string{"", "x"} { // what the one before has saved
		system, result := newSystem(t), make(chan string, 1)
		k := &keeper{func(ctx *actor.Context) error {
			s := persistence.NewState[*structpb.Value](store)
			if err := s.Load(ctx); err != nil {
				result <- err.Error()
				return err
			}
			result <- s.Value().GetStringValue()
			s.Save(ctx, structpb.NewStringValue("x"))
			return nil
		}}
		ref := spawn(t, system, actor.Define("keeper", func() *keeper { return k },
			actor.OnCall(func(*keeper, *actor.Context, Wake) (Awake, error) { return Awake{}, nil })))
		if _, err := actor.Ask(context.Background(), ref, Wake{}); err != nil {
			t.Fatal(err)
		}
		if got := <-result; got != want {
			t.Errorf("loaded %q, want %q", got, want)
		}
	}
}
