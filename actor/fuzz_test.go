package actor_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// rich has fields of all kinds.
type rich struct {
	actor.Call[Lab, int]
	Bool    bool
	Int     int64
	Small   int8
	Uint    uint64
	Float   float64
	Single  float32
	Text    string
	Raw     []byte
	Array   [4]byte
	When    time.Time
	Pause   time.Duration
	Pointer *rich
	Slice   []rich
	Strings []string
	Map     map[string]rich
	ByInt   map[int]string
	Any     any
	Ref     actor.Ref[Lab]
	Refs    map[string]*actor.Ref[Lab]
	Tree    *Tree
	Empty   struct{}
}

func addCodecSeeds(f *testing.F, codec actor.Codec) {
	f.Helper()
	for _, m := range []rich{
		{},
		{Text: "x", Raw: []byte{1}, When: time.Unix(1, 2), Slice: []rich{{Int: -1}}, Map: map[string]rich{"a": {Uint: 1 << 63}}},
		{Any: map[string]any{"a": []any{1, "b", nil}}, Tree: &Tree{Below: []*Tree{nil, {Value: 1}}}, Ref: actor.NewRef[Lab](far("actor://n2/x#1"))},
	} {
		data, err := codec.Append(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte{})
	f.Add([]byte("\xdd\xff\xff\xff\xff"))
	f.Add([]byte("null"))
}

// fuzzCodec: what decodes can be encoded, and is then the same again.
func fuzzCodec(f *testing.F, codec actor.Codec) {
	addCodecSeeds(f, codec)
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second rich
		if codec.Decode(data, &first) != nil {
			return
		}
		again, err := codec.Append(nil, first)
		if err != nil {
			return // such as a float that JSON does not have
		}
		if err := codec.Decode(again, &second); err != nil {
			t.Fatalf("what was encoded does not decode: %v\n%q\n%q", err, data, again)
		}
		third, err := codec.Append(nil, second)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("another encoding: %v\n%q\n%q", err, again, third)
		}
	})
}

func FuzzMsgPackDecode(f *testing.F) { fuzzCodec(f, actor.NewMsgPack()) }

func FuzzJSONDecode(f *testing.F) { fuzzCodec(f, actor.JSON{}) }

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"greeter", "a/b#1f3a9c", "a#0", "#1", "a//b", "..", "a#zzzzzzzzzzzzz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, uid, err := actor.ParsePath(text)
		if err != nil {
			if actor.CodeOf(err) != actor.InvalidArgument {
				t.Fatal(err)
			}
			return
		}
		again, uid2, err := actor.ParsePath(actor.FormatPath(path, uid))
		if err != nil || again != path || uid2 != uid {
			t.Fatalf("%q: %q, %d and then %q, %d, %v", text, path, uid, again, uid2, err)
		}
	})
}

func FuzzResolve(f *testing.F) {
	system := newSystem(f, actor.WithNode("n1"), actor.WithResolver(resolveFar))
	ref, err := actor.Spawn(system, define(script{}))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", ref.String(), "actor://n1/subject", "actor://n1/x#1", "actor://n2/x#1", "actor://n3/x", "service:///greeter", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var unbound actor.Ref[Lab]
		if err := unbound.UnmarshalText(text); err != nil || unbound.String() != string(text) {
			t.Fatal(unbound, err)
		}
		resolved, err := actor.Resolve[Lab](system, string(text))
		if err != nil {
			return
		}
		again, err := actor.Resolve[Lab](system, resolved.String())
		if err != nil || again != resolved {
			t.Fatalf("%q: %v and then %v, %v", text, resolved, again, err)
		}
	})
}

func FuzzDeliver(f *testing.F) {
	system := newSystem(f, actor.WithResolver(resolveFar))
	d := actor.Define("rich", func() *subject { return &subject{} },
		actor.OnCall(func(*subject, *actor.Context, rich) (int, error) { return 1, nil }))
	if _, err := actor.Spawn(system, d); err != nil {
		f.Fatal(err)
	}
	addCodecSeeds(f, actor.NewMsgPack())
	addCodecSeeds(f, actor.JSON{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, contentType := range []string{"application/msgpack", "application/json"} {
			_, err := deliver(system, actor.Delivery{Path: "rich", Message: "actor_test.rich", ContentType: contentType, Payload: payload})
			if err != nil && actor.CodeOf(err) != actor.InvalidArgument {
				t.Fatal(err)
			}
		}
		ctx := context.Background()
		if err := system.Deliver(ctx, actor.Delivery{Path: string(payload), Message: string(payload), ContentType: string(payload)}); err == nil {
			t.Fatal("taken")
		}
	})
}
