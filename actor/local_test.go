package actor_test

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/internal/testpb"
)

// answers handles any request with its zero reply.
func answers[R any, Q actor.Request[Lab, R]]() actor.Handler[Lab, *subject] {
	return actor.OnCall(func(*subject, *actor.Context, Q) (reply R, err error) { return reply, nil })
}

// hears handles any message that is told.
func hears[M actor.Message[Lab]]() actor.Handler[Lab, *subject] {
	return actor.OnCast(func(*subject, *actor.Context, M) error { return nil })
}

// Messages that cannot travel, and some that can.
type (
	Furtive struct {
		actor.Cast[Lab]
		Inner []furtiveInner
	}
	furtiveInner struct{ Deep map[string]furtiveDeep }
	furtiveDeep  struct {
		A      int
		secret int
	}
	Callback struct {
		actor.Cast[Lab]
		Done chan<- error
	}
	Hiding struct{ actor.Call[Lab, furtiveDeep] }
	Faulty struct{ actor.Call[Lab, error] }
	Shell  struct {
		actor.Cast[Lab]
		*timestamppb.Timestamp
	}
	Marked struct {
		actor.Call[Lab, *Marked]
		actor.Idempotent
		_     struct{}
		local int `codec:"-" json:"-"`
		Next  *Marked
		Any   any
		Seal  Seal
		Token Token
		Greet *testpb.Greet
		At    *timestamppb.Timestamp
	}
	// Seal is written as text, and shows nothing.
	Seal struct{ text string }
	// Token is one pointer, and written as bytes.
	Token struct{ of *string }
)

var _ = furtiveDeep{secret: 1} // nobody else does anything with it

func (s Seal) MarshalText() ([]byte, error)     { return []byte("seal " + s.text), nil }
func (s *Seal) UnmarshalText(text []byte) error { s.text = string(text[5:]); return nil }

func (s Token) MarshalBinary() ([]byte, error)     { return []byte(*s.of), nil }
func (s *Token) UnmarshalBinary(data []byte) error { text := string(data); s.of = &text; return nil }

func TestWhatCannotTravelIsNotSpawned(t *testing.T) {
	create := func() *subject { return &subject{} }
	for names, handler := range map[string]actor.Handler[Lab, *subject]{
		"secret of actor_test.furtiveDeep":                 hears[Furtive](),
		"Done of actor_test.Callback":                      hears[*Callback](),
		"Hiding: values of type actor_test.furtiveDeep":    answers[furtiveDeep, Hiding](),
		"Faulty: values of type error":                     answers[error, Faulty](),
		"actor_test.Shell embeds a protobuf message":       hears[Shell](),
		"Inner of actor_test.Furtive: Deep of actor_test.": hears[*Furtive](),
	} {
		for _, codec := range []actor.Codec{nil, actor.JSON{}} {
			system := newSystem(t, actor.WithCodec(codec))
			d := actor.Define("lab", create, handler)
			_, err := actor.Spawn(system, d)
			if codeIs(t, err, actor.InvalidArgument); !strings.Contains(err.Error(), names) || !strings.Contains(err.Error(), "actor.LocalOnly()") {
				t.Errorf("%v, want one that names %q", err, names)
			}
			_, err = system.Spawn(d)
			codeIs(t, err, actor.InvalidArgument)
			parent := spawn(t, system, script{})
			do(t, parent, func(ctx *actor.Context) error {
				_, err := actor.Spawn(ctx, d)
				codeIs(t, err, actor.InvalidArgument)
				codeIs(t, ctx.Become(actor.NewBehavior(handler)), actor.InvalidArgument)
				return nil
			})
			codeIs(t, system.CheckTravel(d), actor.InvalidArgument)
			local := d.With(actor.LocalOnly())
			codeIs(t, system.CheckTravel(local), actor.InvalidArgument)
			ref, err := actor.Spawn(system, local)
			if err != nil {
				t.Error(err)
			}
			_, err = deliver(system, actor.Delivery{Path: "lab", Message: "x"})
			codeIs(t, err, actor.Unimplemented)
			far := actor.WithCaller(t.Context(), actor.Caller{Node: "n2"})
			err = system.Deliver(far, actor.Delivery{Path: "lab", Message: "x"})
			codeIs(t, err, actor.FailedPrecondition)
			for _, holder := range []any{ref, ref.Address(), &ref, struct{ R actor.Ref[Lab] }{ref}, map[actor.Ref[Lab]]int{ref: 1}} {
				if _, _, err := system.Encode(nil, holder); !errors.Is(err, actor.InvalidArgument) || !strings.Contains(err.Error(), "LocalOnly") {
					t.Errorf("%T: %v", holder, err)
				}
			}
		}
	}
}

func TestALocalActorBecomesWhatCannotTravel(t *testing.T) {
	ref := spawn(t, newSystem(t), script{options: []actor.DefineOption{actor.LocalOnly()}})
	do(t, ref, func(ctx *actor.Context) error { return ctx.Become(actor.NewBehavior(hears[Furtive]())) })
	tell(t, ref, Furtive{})
}

func TestALocalRefIsLogged(t *testing.T) {
	ref := spawn(t, newSystem(t), script{options: []actor.DefineOption{actor.LocalOnly()}})
	var text bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "ref", ref, "address", ref.Address())
	slog.New(slog.NewJSONHandler(&text, nil)).Info("x", "ref", ref, "address", ref.Address())
	if strings.Count(text.String(), ref.String()) != 4 {
		t.Error(text.String())
	}
}

func TestWhatTravelsIsSpawned(t *testing.T) {
	system := newSystem(t)
	ref, err := actor.Spawn(system, actor.Define("lab", func() *subject { return &subject{} },
		actor.OnCall(func(_ *subject, _ *actor.Context, m Marked) (*Marked, error) { return m.Next, nil })))
	if err != nil {
		t.Fatal(err)
	}
	text := "t"
	next := &Marked{Seal: Seal{"s"}, Token: Token{&text}, Any: "a", Greet: &testpb.Greet{Name: "g"}, local: 1, At: &timestamppb.Timestamp{Seconds: 7}}
	got := overTheWire(t, system, ref, Marked{Next: next, Token: Token{&text}})
	if got.Seal != next.Seal || *got.Token.of != text || got.Any != "a" || got.Greet.GetName() != "g" || got.At.GetSeconds() != 7 || got.local != 0 {
		t.Errorf("%+v", got)
	}
	if got := overTheWire(t, system, ref, Marked{Token: Token{&text}}); got != nil {
		t.Errorf("nil came back as %+v", got)
	}
}

// TestProtobufInsideIsWholeOrRefused: in each codec.
func TestProtobufInsideIsWholeOrRefused(t *testing.T) {
	type holder struct {
		Value *structpb.Value
		List  []*testpb.Greet
		By    *testpb.Greeting
	}
	for _, codec := range []actor.Codec{actor.NewMsgPack(), actor.JSON{}} {
		in := holder{Value: structpb.NewStringValue("x"), List: []*testpb.Greet{{Name: "a"}}, By: &testpb.Greeting{Text: "b"}}
		data, err := codec.Append(nil, in)
		if refused := actor.CheckType(codec, reflect.TypeOf(in)); refused != nil {
			if !strings.Contains(refused.Error(), "Value of actor_test.holder") || !strings.Contains(refused.Error(), "structpb.Value is a protobuf message") {
				t.Error(refused)
			}
			continue
		}
		var out holder
		if err != nil || codec.Decode(data, &out) != nil || out.Value.GetStringValue() != "x" || out.List[0].GetName() != "a" || out.By.GetText() != "b" {
			t.Errorf("%s: %+v, %v", codec.ContentType(), &out, err)
		}
	}
}

func TestNoInterfaceHoldsWhatComesBackAsAnother(t *testing.T) {
	text := "t"
	for _, held := range []any{Seal{"x"}, &Seal{"x"}, Token{&text}, []any{Seal{}}, struct{ S *Seal }{&Seal{"x"}}, map[string]Token{"a": {&text}}} {
		if data, err := actor.NewMsgPack().Append(nil, struct{ V any }{held}); err == nil {
			t.Errorf("%T was encoded as %q", held, data)
		}
	}
}
