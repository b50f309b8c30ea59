package actor_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/internal/testpb"
)

// Types that would lose a part of themselves, or could not be decoded.
type (
	hiddenFields struct{ a int }
	unexported   struct{ X int }
	ByPointer    struct {
		*unexported
		Y int
	}
	left  struct{ X int }
	right struct{ X int }
	Both  struct {
		left
		right
	}
	Tagged struct {
		A int `codec:"x"`
		B int `json:"x"`
	}
	Shadowed struct {
		left
		X int
	}
	StillEncoded struct {
		C chan int `codec:"c" json:"-"`
	}
	Dashed struct {
		//lint:ignore SA5008 the tag is the case
		F func() `json:"-,"`
	}
	Forest     map[string]Forest
	Lists      []Lists
	EmbedsBoth struct {
		*testpb.Greet
		N int
	}
	EmbedsInterface struct{ proto.Message }
	oneWay          struct{ n byte }
	partly          struct {
		A      int
		secret int
	}
	Dated struct { // would travel as a time
		time.Time
		Who string
	}
	Referring struct {
		actor.Cast[Lab]
		actor.Ref[Lab]
		Who string
	}
	twice struct { // the methods of neither are promoted
		time.Time
		netip.Addr
	}
	oneWayText struct{ n byte }
)

func (o oneWay) MarshalBinary() ([]byte, error)   { return []byte{o.n}, nil }
func (o oneWayText) MarshalText() ([]byte, error) { return []byte{o.n}, nil }

func TestTypesThatWouldNotComeBackAreRefused(t *testing.T) {
	msgPack, json := actor.NewCodecs(nil), actor.NewCodecs(actor.JSON{})
	for _, c := range []struct {
		t      reflect.Type
		names  string // in the error
		inJSON bool   // refused there, too
	}{
		{reflect.TypeFor[chan int](), "chan int", true},
		{reflect.TypeFor[struct{ F func() }](), "F of", true},
		{reflect.TypeFor[map[string][]*struct{ C chan int }](), "C of", true},
		{reflect.TypeFor[complex128](), "complex128", true},
		{reflect.TypeFor[struct{ Err error }](), "Err of", true},
		{reflect.TypeFor[fmt.Stringer](), "fmt.Stringer", true},
		{reflect.TypeFor[hiddenFields](), "hiddenFields", true},
		{reflect.TypeFor[*ByPointer](), "unexported of", true},
		{reflect.TypeFor[Both](), `both called "X"`, true},
		{reflect.TypeFor[Shadowed](), `both called "X"`, true},
		{reflect.TypeFor[Tagged](), `both called "x"`, false},
		{reflect.TypeFor[StillEncoded](), "C of", false},
		{reflect.TypeFor[Dashed](), "F of", true},
		{reflect.TypeFor[Forest](), "nothing but itself", false},
		{reflect.TypeFor[Lists](), "nothing but itself", false},
		{reflect.TypeFor[map[*int]string](), "pointer", true},
		{reflect.TypeFor[map[struct{ P *int }]string](), "", true},
		{reflect.TypeFor[map[[2]any]string](), "interface", true},
		{reflect.TypeFor[oneWay](), "UnmarshalBinary", true},
		{reflect.TypeFor[oneWayText](), "", true},
		{reflect.TypeOf(partly{secret: 1}), "secret of actor_test.partly", true},
		{reflect.TypeFor[map[string][]*struct{ P partly }](), "P of", true},
		{reflect.TypeFor[Dated](), "Time of actor_test.Dated", true},
		{reflect.TypeFor[*Referring](), "Ref of actor_test.Referring", true},
		{reflect.TypeFor[twice](), "Time of actor_test.twice", true},

		{reflect.TypeFor[EmbedsBoth](), "embeds a protobuf message", true},
		{reflect.TypeFor[*EmbedsBoth](), "embeds a protobuf message", true},
		{reflect.TypeFor[[]EmbedsInterface](), "embeds a protobuf message", true},
		{reflect.TypeFor[*dynamicpb.Message](), "", true},
	} {
		if _, err := msgPack.For(c.t); !errors.Is(err, actor.InvalidArgument) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%v: %v, want InvalidArgument that names %q", c.t, err, c.names)
		}
		if _, err := json.For(c.t); c.inJSON != errors.Is(err, actor.InvalidArgument) {
			t.Errorf("%v in JSON: %v", c.t, err)
		}
	}
}

// Linked has protobuf messages and more of its kind.
type Linked struct {
	Value *structpb.Value
	At    *timestamppb.Timestamp
	Many  map[string]*structpb.Struct
	Plain []testpb.Greeting
	Next  *Linked
	Any   any
}

func TestWhatIsEncodedComesBack(t *testing.T) {
	object, err := structpb.NewStruct(map[string]any{"b": []any{"x", nil, true, 1.5}}) // of one key: maps have no order
	if err != nil {
		t.Fatal(err)
	}
	value := structpb.NewStringValue("x")
	for _, message := range []any{
		value, object, &structpb.Value{}, timestamppb.New(time.Unix(5, 6)),
		reflect.ValueOf(value).Elem().Interface(), testpb.Greet{Name: "by value"},
		&Linked{
			Value: value, At: timestamppb.New(time.Unix(5, 6)), Many: map[string]*structpb.Struct{"o": object, "nil": nil},
			Plain: []testpb.Greeting{{Text: "x"}}, Next: &Linked{Value: structpb.NewNullValue()},
			Any: map[string]any{"k": []any{int64(1), "x", 2.5, nil}},
		},
		Linked{},
		struct{ Key map[netip.Addr]int }{map[netip.Addr]int{netip.MustParseAddr("::1"): 1}},
		map[any]int{"a": 1, true: 2, int64(3): 3, 2.5: 4},
		map[[2]uint8]string{{1, 2}: "x"},
		map[left]int{{1}: 2},
		struct {
			C chan int `codec:"-" json:"-"`
			A int
		}{A: 1},
	} {
		system := newSystem(t)
		data, contentType, err := system.Encode([]byte("kept"), message)
		if err != nil {
			t.Errorf("%T: %v", message, err)
			continue
		}
		if _, isProto := message.(proto.Message); isProto != (contentType == "application/protobuf") && reflect.TypeOf(message).Kind() == reflect.Pointer {
			t.Errorf("%T is %s", message, contentType)
		}
		of := reflect.TypeOf(message)
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		got := reflect.New(of)
		if err := system.Decode(contentType, data[4:], got.Interface()); err != nil {
			t.Errorf("%T: %v", message, err)
			continue
		}
		again, _, err := system.Encode([]byte("kept"), got.Interface())
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%T: got %.200v, %v", message, got.Interface(), err)
		}
	}
}

func TestValuesThatWouldNotDecodeAreNotEncoded(t *testing.T) {
	loop := map[string]any{}
	loop["loop"] = loop
	for what, held := range map[string]any{
		"a map with other keys than text": map[int]string{1: "x"},
		"deeper down":                     []any{map[string]any{"x": map[bool]int{true: 1}}},
		"a func":                          func() {},
		"what shows nothing of itself":    hiddenFields{1},
		"a protobuf message":              structpb.NewStringValue("x"),
		"itself":                          loop,
	} {
		if data, err := actor.NewMsgPack().Append(nil, Linked{Any: held}); err == nil {
			t.Errorf("%s in an interface was encoded as %x", what, data)
		}
	}
	if data, err := actor.NewMsgPack().Append(nil, map[any]int{1: 1}); err == nil {
		t.Errorf("a key that would be an int64 was encoded as %x", data)
	}
}

// TestDepth encodes no more than what is decoded, in each codec.
func TestDepth(t *testing.T) {
	linked, greet, list := &Linked{}, &testpb.Greet{}, structpb.NewNullValue()
	encoded, refused := map[string]int{}, map[string]int{}
	for range 150 {
		linked, greet = &Linked{Next: linked}, &testpb.Greet{Inner: greet}
		list = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{list}})
		for _, message := range []any{linked, greet, list, &Linked{Value: list}} {
			for _, preferred := range []actor.Codec{nil, actor.JSON{}} {
				what := fmt.Sprintf("%T as %T", message, preferred)
				codec, err := actor.NewCodecs(preferred).For(reflect.TypeOf(message))
				if _, isLinked := message.(*Linked); isLinked && preferred != nil {
					continue // encoding/json cannot decode a oneof
				}
				if err != nil {
					t.Fatal(what, err)
				}
				data, err := codec.Append(nil, message)
				if err != nil {
					refused[what]++
					continue
				}
				encoded[what]++
				if err := codec.Decode(data, reflect.New(reflect.TypeOf(message).Elem()).Interface()); err != nil {
					t.Fatalf("%s: %d levels are encoded, and not decoded: %v", what, encoded[what], err)
				}
			}
		}
	}
	for what, n := range encoded {
		if n < 50 || refused[what] == 0 {
			t.Errorf("%s: %d levels are encoded, %d refused", what, n, refused[what])
		}
	}
}

// TestOldProtobufInMsgPack reads what was written before protobuf messages were extensions.
func TestOldProtobufInMsgPack(t *testing.T) {
	type holder struct{ P *structpb.Value }
	old, err := actor.NewMsgPack().Append(nil, map[string]any{"P": map[string]any{"Kind": nil}})
	if err != nil {
		t.Fatal(err)
	}
	var got holder
	if err := actor.NewMsgPack().Decode(old, &got); err != nil || got.P == nil || got.P.Kind != nil {
		t.Errorf("%v, %v", got, err)
	}
	if err := actor.NewMsgPack().Decode([]byte{0xc7, 1, 1, 0xff}, &structpb.Value{}); err == nil {
		t.Error("an extension without a message was decoded")
	}
}

// Keep and Lose are of one protocol; what Lose is answered by cannot travel.
type (
	Keep struct{ actor.Cast[Lab] }
	Lose struct {
		actor.Call[Lab, struct{ Err error }]
	}
)

func TestCheckTravel(t *testing.T) {
	keep := actor.OnCast(func(*subject, *actor.Context, Keep) error { return nil })
	lose := actor.OnCall(func(*subject, *actor.Context, Lose) (r struct{ Err error }, err error) { return r, nil })
	create := func() *subject { return &subject{} }
	system := newSystem(t)
	if err := system.CheckTravel(actor.Define("a", create, keep)); err != nil {
		t.Error(err)
	}
	err := system.CheckTravel(actor.Define("b", create, keep, lose))
	if !errors.Is(err, actor.InvalidArgument) || !strings.Contains(err.Error(), "Lose") || !strings.Contains(err.Error(), "Err of") {
		t.Errorf("%v, want InvalidArgument that names Lose and Err", err)
	}
	if err := system.CheckTravel(actor.Definition[Lab]{}); !errors.Is(err, actor.InvalidArgument) {
		t.Error(err)
	}
}
