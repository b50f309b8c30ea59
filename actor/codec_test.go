package actor_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/codectest"
	"github.com/troupe-go/troupe/actor/internal/testpb"
)

func TestProtobufCodec(t *testing.T) {
	samples := []any{
		&testpb.Greet{},
		&testpb.Greet{Name: "Ada", Inner: &testpb.Greet{Name: strings.Repeat("x", 1000)}},
		&testpb.Greeting{Text: "grüße"},
	}
	codectest.Run(t, actor.Protobuf{}, samples...)
	t.Run("as JSON", func(t *testing.T) { codectest.Run(t, actor.JSON{}, samples...) })
}

func TestProtobufTakesNothingElse(t *testing.T) {
	if data, err := (actor.Protobuf{}).Append(nil, Line{}); err == nil {
		t.Errorf("encoded as %q", data)
	}
	var line Line
	if err := (actor.Protobuf{}).Decode(nil, &line); err == nil {
		t.Error("decoded")
	}
}

// TestCodecOfTheUser is chosen for plain messages, and found by its content type.
func TestCodecOfTheUser(t *testing.T) {
	system := newSystem(t, actor.WithCodec(rot{}))
	shop(t, system)
	payload, contentType := encode(t, system, Order{Lines: make([]Line, 3)})
	if contentType != "application/x-rot" {
		t.Error(contentType)
	}
	reply, err := deliver(system, actor.Delivery{Path: "shop", Message: "actor_test.Order", ContentType: contentType, Payload: payload})
	if err != nil || reply != (Receipt{Total: 3}) {
		t.Error(reply, err)
	}
	_, contentType = encode(t, system, &testpb.Greet{})
	if contentType != "application/protobuf" {
		t.Error(contentType)
	}
}

// rot is JSON, turned around.
type rot struct{ actor.JSON }

func (rot) ContentType() string { return "application/x-rot" }

func (r rot) Append(dst []byte, message any) ([]byte, error) {
	data, err := r.JSON.Append(nil, message)
	for i := range data {
		data[i] ^= 0x55
	}
	return append(dst, data...), err
}

func (r rot) Decode(data []byte, target any) error {
	turned := make([]byte, len(data))
	for i := range data {
		turned[i] = data[i] ^ 0x55
	}
	return r.JSON.Decode(turned, target)
}

// TestJSONChangesNothingSilently: what encoding/json itself takes.
func TestJSONChangesNothingSilently(t *testing.T) {
	type spot struct {
		ID    string
		Pair  [2]int
		Count map[int]string
		Rate  float32
		Any   any
		Blob  []byte
		Next  *spot
		Text  int `json:",string"`
	}
	for text, taken := range map[string]bool{
		`{ "ID" : "a" , "Pair":[1, 2],"Unknown": {"ID":[1,{}]}, "Any":[{"a":"\"]"}] , "Text":"7"}`: true,
		`{"I\u0044":"a","Blob":"AQI=","Next":{"Pair":[1,2],"Next":null},"Count":{"-1":"a"}}`:       true,
		`{"Rate":0.1,"Any":123456789012345678.5}`:                                                  true,
		`{"Any":1152921504606846976}`:                                                              true, // 2^60
		`{"id":"a"}`:                                                                               false,
		`{"\u0049d":"a"}`:                                                                          false,
		`{"Pair":[1]}`:                                                                             false,
		`{"Pair":[1,2,3]}`:                                                                         false,
		`{"ID":null}`:                                                                              false,
		`{"Next":{"Pair":null}}`:                                                                   false,
		`{"Count":{"01":"a","1":"b"}}`:                                                             false,
		`{"Rate":0.123456789012}`:                                                                  false,
		`{"Any":{"a":[9007199254740993]}}`:                                                         false,
	} {
		var got spot
		if err := (actor.JSON{}).Decode([]byte(text), &got); taken != (err == nil) {
			t.Errorf("%s: %v, got %+v", text, err, got)
		}
	}
	for text, taken := range map[string]bool{"\ufffd": true, `\ufffd`: true, `\\ufffd`: true, "a\xff": false, "\\\xff": false} {
		data, err := (actor.JSON{}).Append(nil, spot{ID: text})
		if taken != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
		var got spot
		if taken && ((actor.JSON{}).Decode(data, &got) != nil || got.ID != text) {
			t.Errorf("%q came back as %q", text, got.ID)
		}
	}
}

// TestMsgPackTakesNoOtherKind: what its decoder itself would take.
func TestMsgPackTakesNoOtherKind(t *testing.T) {
	m := actor.NewMsgPack()
	type base struct{ A, B int }
	type Base base
	type embeds struct {
		*Base
		C int
	}
	for what, c := range map[string]struct{ from, to any }{
		"the largest uint64":        {uint64(1<<64 - 1), new(int64)},
		"a map of texts as a list":  {map[string]string{"a": "b"}, new([]string)},
		"a list as a struct":        {[]int{1, 2}, new(base)},
		"one as true":               {1, new(bool)},
		"a float as an integer":     {2.0, new(int)},
		"a float64 as a float32":    {0.1, new(float32)},
		"a text as bytes":           {"a", new([]byte)},
		"bytes as a text":           {[]byte("a"), new(string)},
		"a short list as an array":  {[]int{1}, new([2]int)},
		"nil as a number":           {(*int)(nil), new(int)},
		"a text as a time":          {"abcd", new(time.Time)},
		"bytes as the name":         {map[[1]byte]int{{'A'}: 1}, new(base)},
		"what is deep in an entry":  {map[string][]uint64{"a": {1 << 63}}, new(map[string][]int64)},
		"a negative as an unsigned": {-1, new(uint)},
	} {
		data, err := m.Append(nil, c.from)
		if err != nil {
			t.Fatal(what, err)
		}
		if err := m.Decode(data, c.to); err == nil {
			t.Errorf("%s: became %v", what, reflect.ValueOf(c.to).Elem())
		}
	}
	var got embeds
	data, err := m.Append(nil, embeds{C: 1})
	if err != nil || m.Decode(data, &got) != nil || got != (embeds{C: 1}) {
		t.Errorf("an embedded pointer that is nil: %+v, %v", got, err)
	}
}
