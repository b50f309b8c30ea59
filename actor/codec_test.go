package actor_test

import (
	"strings"
	"testing"

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
