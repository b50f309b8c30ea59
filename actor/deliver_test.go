package actor_test

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/internal/testpb"
	"github.com/troupe-go/troupe/mailbox"
)

// Order is a message with fields of many kinds.
type Order struct {
	actor.Call[Lab, Receipt]
	actor.Idempotent
	ID     string
	Lines  []Line
	Labels map[string]string
	Raw    []byte
	When   time.Time
	Tree   *Tree
	Any    any
}

// Line is a part of an Order.
type Line struct {
	Article string
	Count   int
	Price   float64
}

// Tree nests as deep as one likes.
type Tree struct {
	Value int
	Below []*Tree
}

// Receipt answers an Order.
type Receipt struct{ Total int }

// Cancel is told.
type Cancel struct {
	actor.Cast[Lab]
	ID string
}

// Bomb panics when it is decoded.
type Bomb struct {
	actor.Call[Lab, int]
	Fuse Fuse
}

// Fuse panics when it is decoded, and when it is encoded while lit.
type Fuse struct{ lit bool }

func (f Fuse) MarshalText() ([]byte, error) {
	if f.lit {
		panic("boom, encoding")
	}
	return []byte("fuse"), nil
}

func (*Fuse) UnmarshalText([]byte) error { panic("boom, decoding") }

func (f Fuse) MarshalBinary() ([]byte, error)  { return f.MarshalText() }
func (f *Fuse) UnmarshalBinary(b []byte) error { return f.UnmarshalText(b) }

// shop spawns an actor for all of these, and returns what it was given last.
func shop(t testing.TB, system *actor.System, options ...actor.DefineOption) (path string, got *any) {
	t.Helper()
	got = new(any)
	d := actor.Define("shop", func() *subject { return &subject{} },
		actor.OnCall(func(_ *subject, _ *actor.Context, m Order) (Receipt, error) {
			*got = m
			return Receipt{Total: len(m.Lines)}, nil
		}),
		actor.OnCast(func(_ *subject, _ *actor.Context, m Cancel) error { *got = m; return nil }),
		actor.OnCall(func(_ *subject, _ *actor.Context, m *Heard) (int, error) { return 1, nil }),
		actor.OnCall(func(_ *subject, _ *actor.Context, m Bomb) (int, error) { return 1, nil }),
		actor.OnCall((*subject).count),
	)
	if _, err := actor.Spawn(system, d.With(options...)); err != nil {
		t.Fatal(err)
	}
	return "shop", got
}

// deliver waits for the answer.
func deliver(system *actor.System, d actor.Delivery) (any, error) {
	type answer struct {
		reply any
		err   error
	}
	answered := make(chan answer, 1)
	d.Reply = func(reply any, err error) { answered <- answer{reply, err} }
	if err := system.Deliver(context.Background(), d); err != nil {
		return nil, err
	}
	a := <-answered
	return a.reply, a.err
}

func encode(t testing.TB, system *actor.System, m any) (payload []byte, contentType string) {
	t.Helper()
	payload, contentType, err := system.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return payload, contentType
}

func TestDeliver(t *testing.T) {
	for _, codec := range []actor.Codec{nil, actor.JSON{}} {
		system := newSystem(t, actor.WithCodec(codec))
		path, got := shop(t, system)
		order := Order{ID: "7", Lines: []Line{{"tea", 2, 1.5}}, Labels: map[string]string{"a": "b"}, Raw: []byte{1, 2}, Tree: &Tree{Below: []*Tree{{Value: 1}}}}
		payload, contentType := encode(t, system, order)
		reply, err := deliver(system, actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: contentType, Payload: payload})
		if err != nil || reply != (Receipt{Total: 1}) {
			t.Fatal(reply, err)
		}
		clear(payload) // belongs to the caller again
		m := (*got).(Order)
		if m.ID != "7" || m.Lines[0] != order.Lines[0] || m.Labels["a"] != "b" || !bytes.Equal(m.Raw, []byte{1, 2}) || m.Tree.Below[0].Value != 1 {
			t.Errorf("%+v", m)
		}
	}
}

func TestMarkersLeaveNoTraceOnTheWire(t *testing.T) {
	for _, codec := range []actor.Codec{actor.NewMsgPack(), actor.JSON{}} {
		data, err := codec.Append(nil, Order{ID: "7"})
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range []string{"Call", "Cast", "Idempotent"} {
			if bytes.Contains(data, []byte(trace)) {
				t.Errorf("%s: %q contains %s", codec.ContentType(), data, trace)
			}
		}
	}
	if !actor.IsIdempotent(Order{}) || actor.IsIdempotent(Cancel{}) || actor.IsIdempotent(nil) {
		t.Error("IsIdempotent is wrong")
	}
}

func TestDeliverRefuses(t *testing.T) {
	system := newSystem(t, actor.WithNode("n1"))
	path, _ := shop(t, system)
	_, uid, _ := system.PathOf(lookup(t, system, path))
	payload, msgpack := encode(t, system, Order{})
	for name, test := range map[string]struct {
		d    actor.Delivery
		code actor.Code
	}{
		"no such path":          {actor.Delivery{Path: "nobody"}, actor.NotFound},
		"another incarnation":   {actor.Delivery{Path: path, UID: uid + 1}, actor.NotFound},
		"unknown message":       {actor.Delivery{Path: path, Message: strings.Repeat("x", 1000)}, actor.Unimplemented},
		"a cast, asked":         {actor.Delivery{Path: path, Message: "actor_test.Cancel"}, actor.Unimplemented},
		"unknown content type":  {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: "text/plain"}, actor.InvalidArgument},
		"no content type":       {actor.Delivery{Path: path, Message: "actor_test.Order", Payload: payload}, actor.InvalidArgument},
		"empty":                 {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: msgpack}, actor.InvalidArgument},
		"garbage":               {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: msgpack, Payload: []byte{0xc1, 0xff}}, actor.InvalidArgument},
		"cut short":             {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: msgpack, Payload: payload[:len(payload)-1]}, actor.InvalidArgument},
		"trailing bytes":        {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: msgpack, Payload: append(bytes.Clone(payload), 0)}, actor.InvalidArgument},
		"JSON, trailing bytes":  {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: "application/json", Payload: []byte(`{} {}`)}, actor.InvalidArgument},
		"protobuf for a struct": {actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: "application/protobuf", Payload: payload}, actor.InvalidArgument},
		"a type that panics":    {actor.Delivery{Path: path, Message: "actor_test.Bomb", ContentType: msgpack, Payload: []byte("\x81\xa4Fuse\xc4\x01x")}, actor.InvalidArgument},
		"a codec that panics":   {actor.Delivery{Path: path, Message: "actor_test.Bomb", ContentType: "application/json", Payload: []byte(`{"Fuse":"x"}`)}, actor.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := deliver(system, test.d)
			if e := codeIs(t, err, test.code); !e.NotRun {
				t.Error("the sender must know that it did not run")
			}
			if len(err.Error()) > 500 {
				t.Errorf("an error of %d characters goes back over the network", len(err.Error()))
			}
		})
	}
}

func lookup(t *testing.T, system *actor.System, path string) actor.Address {
	t.Helper()
	a, err := system.Lookup(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDeliverOfARequestThatIsTold(t *testing.T) {
	system := newSystem(t)
	path, got := shop(t, system)
	payload, contentType := encode(t, system, Order{ID: "told"})
	if err := system.Deliver(t.Context(), actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: contentType, Payload: payload}); err != nil {
		t.Fatal(err)
	}
	if err := system.DrainActor(t.Context(), lookup(t, system, path)); err != nil {
		t.Fatal(err)
	}
	if m, ok := (*got).(Order); !ok || m.ID != "told" {
		t.Error(*got)
	}
}

func TestDeliverToAPointerHandlerIsNeverNil(t *testing.T) {
	system := newSystem(t)
	path, _ := shop(t, system)
	for contentType, null := range map[string]string{"application/msgpack": "\xc0", "application/json": "null"} {
		_, err := deliver(system, actor.Delivery{Path: path, Message: "actor_test.Heard", ContentType: contentType, Payload: []byte(null)})
		codeIs(t, err, actor.InvalidArgument)
	}
}

func TestDeliverDoesNotWait(t *testing.T) {
	for _, overflow := range []mailbox.Overflow{mailbox.Reject, mailbox.Block} {
		system := newSystem(t)
		ref := spawn(t, system, script{options: bounded(1, overflow)})
		release := block(t, ref)
		run(t, ref, nothing)
		err := system.Deliver(t.Context(), actor.Delivery{Path: "subject", Message: "actor_test.Handled", ContentType: "application/json", Payload: []byte("{}")})
		codeIs(t, err, actor.ResourceExhausted)
		release()
	}
}

func TestDeliverSkipsWhatItsCallerGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		release := block(t, ref)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		err := system.Deliver(ctx, actor.Delivery{Path: "subject", Message: "actor_test.Handled", ContentType: "application/json", Payload: []byte("{}"),
			Reply: func(_ any, err error) { answer <- err }})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		release()
		if e := codeIs(t, <-answer, actor.Canceled); !e.NotRun {
			t.Error("it did not run")
		}
		if n := handled(t, ref); n != 1 {
			t.Error(n)
		}
	})
}

func TestDeliveredCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		ask := func() chan error {
			answer := make(chan error, 2)
			err := system.Deliver(t.Context(), actor.Delivery{Path: "subject", Message: "actor_test.Handled", ContentType: "application/json", Payload: []byte("{}"),
				Reply: func(_ any, err error) { answer <- err }})
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
		release := block(t, ref)
		answer := ask()
		go system.StopActor(context.Background(), ref)
		synctest.Wait()
		release()
		codeIs(t, <-answer, actor.Unavailable)
		synctest.Wait()
		if len(answer) != 0 {
			t.Error("answered twice")
		}
	})
}

func TestDeliverByABehaviour(t *testing.T) {
	system := newSystem(t)
	ref := spawn(t, system, script{})
	open := actor.NewBehavior(actor.OnCall(knock), actor.OnCall((*subject).compute))
	do(t, ref, func(ctx *actor.Context) error { return ctx.Become(open) })
	call := func(message string) (any, error) {
		return deliver(system, actor.Delivery{Path: "subject", Message: message, ContentType: "application/json", Payload: []byte("{}")})
	}
	if reply, err := call("actor_test.Knock"); err != nil || reply != "come in" {
		t.Error(reply, err)
	}
	_, err := call("actor_test.Handled")
	codeIs(t, err, actor.Unimplemented)
}

func TestProtobufMessages(t *testing.T) {
	for _, codec := range []actor.Codec{nil, actor.JSON{}} {
		system := newSystem(t, actor.WithCodec(codec))
		lobby, err := actor.Spawn(system, actor.Define("lobby", func() *subject { return &subject{} },
			actor.OnCall(func(_ *subject, _ *actor.Context, m *testpb.Greet) (*testpb.Greeting, error) {
				return &testpb.Greeting{Text: "Hello, " + m.Name}, nil
			})))
		if err != nil {
			t.Fatal(err)
		}
		greet := &testpb.Greet{Name: "Ada"}
		if reply, err := actor.Ask(t.Context(), lobby, greet); err != nil || reply.Text != "Hello, Ada" {
			t.Error(reply, err)
		}
		if reply := overTheWire(t, system, lobby, greet); reply.Text != "Hello, Ada" {
			t.Error(reply)
		}
		_, contentType := encode(t, system, greet)
		if want := map[bool]string{true: "application/protobuf", false: "application/json"}[codec == nil]; contentType != want {
			t.Error(contentType)
		}
		for _, name := range []string{"testpb.Greet", "greet"} { // its name is that of the schema
			_, err := deliver(system, actor.Delivery{Path: "lobby", Message: name})
			codeIs(t, err, actor.Unimplemented)
		}
		_, err = deliver(system, actor.Delivery{Path: "lobby", Message: "troupe.test.Greet", ContentType: "application/protobuf", Payload: []byte{0xff}})
		codeIs(t, err, actor.InvalidArgument)
		_, err = actor.Ask(t.Context(), lobby, (*testpb.Greet)(nil))
		codeIs(t, err, actor.InvalidArgument)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, codec := range []actor.Codec{actor.NewMsgPack(), actor.JSON{}} {
		system := newSystem(t, actor.WithCodec(codec))
		loop := &Tree{}
		loop.Below = []*Tree{loop}
		for name, m := range map[string]any{
			"a value that panics": Bomb{Fuse: Fuse{lit: true}},
			"a function":          Run{},
			"a channel":           struct{ C chan int }{make(chan int, 1)},
			"a circle":            Order{Tree: loop},
		} {
			t.Run(codec.ContentType()+", "+name, func(t *testing.T) {
				data, _, err := system.Encode([]byte("kept"), m)
				codeIs(t, err, actor.InvalidArgument)
				if string(data) != "kept" {
					t.Errorf("%q", data)
				}
			})
		}
	}
}

// Money has nothing to show, and Amount says how it is written.
type (
	Money  struct{ cents int }
	Amount struct{ cents byte }
)

func (a Amount) MarshalBinary() ([]byte, error)     { return []byte{a.cents}, nil }
func (a *Amount) UnmarshalBinary(data []byte) error { a.cents = data[0]; return nil }

func TestMsgPackLosesNothingSilently(t *testing.T) {
	m := actor.NewMsgPack()
	for name, value := range map[string]any{
		"struct":    Money{1},
		"field":     struct{ M Money }{},
		"embedded":  struct{ Money }{},
		"pointer":   struct{ M *Money }{},
		"slice":     []Money{{1}},
		"map value": map[string]Money{"a": {1}},
		"map key":   map[Money]int{{1}: 1},
		"one way":   struct{ O *oneWayText }{&oneWayText{7}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time from the cache
				if data, err := m.Append(nil, value); err == nil {
					t.Errorf("encoded as %q", data)
				}
			}
		})
	}
	for name, value := range map[string]any{
		"empty struct": struct{}{},
		"time":         struct{ T time.Time }{time.Now()},
		"binary":       struct{ A Amount }{Amount{7}},
		"text":         struct{ N *big.Int }{big.NewInt(7)},
		"left out": struct {
			M Money `codec:"-"`
		}{},
		"recursive": Tree{Below: []*Tree{{}}},
		"nil":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := m.Append(nil, value); err != nil {
				t.Error(err)
			}
		})
	}
	var back struct{ A Amount }
	data, err := m.Append(nil, struct{ A Amount }{Amount{7}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Decode(data, &back); err != nil || back.A.cents != 7 {
		t.Error(back, err)
	}
}

func TestDecodeReplyRefuses(t *testing.T) {
	system := newSystem(t)
	asked := make(chan error, 8)
	probe := actor.NewRef[Lab](recipient(func(e actor.Envelope) error {
		asked <- system.DecodeReply(e, "text/plain", nil)
		asked <- system.DecodeReply(e, "application/msgpack", []byte{0xc1})
		asked <- system.DecodeReply(e, "application/json", []byte(`"x"`))
		return actor.Unavailable
	}))
	_, err := actor.Ask(t.Context(), probe, Handled{})
	if !errors.Is(err, actor.Unavailable) {
		t.Error(err)
	}
	for range 3 {
		codeIs(t, <-asked, actor.InvalidArgument)
	}
	codeIs(t, system.DecodeReply(actor.Envelope{}, "application/json", nil), actor.InvalidArgument)
}

// recipient is a function that is asked.
type recipient func(actor.Envelope) error

func (r recipient) Tell(e actor.Envelope) error                { return r(e) }
func (r recipient) Ask(e actor.Envelope) error                 { return r(e) }
func (recipient) Watch(func(error)) (cancel func(), err error) { return nil, actor.Unimplemented }
func (recipient) String() string                               { return "test:recipient" }
