package actor_test

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/internal/testpb"
)

// TestHostilePayloads: none may crash the process, exhaust the stack, or take
// memory that the payload does not have.
func TestHostilePayloads(t *testing.T) {
	system := newSystem(t)
	path, _ := shop(t, system)
	const levels = 100_000
	nested := func(open string) []byte { return []byte(strings.Repeat(open, levels)) }
	field := func(name string, value []byte) []byte { // a map of one field
		return append(append([]byte{0x81, 0xa0 | byte(len(name))}, name...), value...)
	}
	huge := func(tag byte) []byte { return binary.BigEndian.AppendUint32([]byte{tag}, 0xffff_ffff) }
	hostile := map[string][]byte{
		"msgpack: deep arrays":              nested("\x91"),
		"msgpack: deep maps":                nested("\x81\xa1x"),
		"msgpack: deep, any":                field("Any", nested("\x91")),
		"msgpack: deep maps, any":           field("Any", nested("\x81\xa1x")),
		"msgpack: deep, unknown field":      field("Unknown", nested("\x91")),
		"msgpack: deep maps, unknown field": field("Unknown", nested("\x81\xa1x")),
		"msgpack: deep, known field":        field("Tree", nested("\x81\xa5Below\x91")),
	}
	for _, name := range []string{"ID", "Lines", "Labels", "Raw", "When", "Tree", "Any", "Unknown"} {
		for what, tag := range map[string]byte{"string": 0xdb, "bytes": 0xc6, "array": 0xdd, "map": 0xdf, "extension": 0xc9} {
			hostile["msgpack: huge "+what+" in "+name] = field(name, huge(tag))
		}
	}
	for what, tag := range map[string]byte{"string": 0xdb, "bytes": 0xc6, "array": 0xdd, "map": 0xdf, "extension": 0xc9} {
		hostile["msgpack: a huge "+what] = huge(tag)
	}
	for _, name := range []string{"Any", "Unknown"} {
		for what, open := range map[string]string{"arrays": "[", "objects": `{"x":`} {
			hostile["json: deep "+what+" in "+name] = []byte(`{"` + name + `":` + strings.Repeat(open, levels))
			hostile["json: deep "+what+" in "+name+", closed"] = []byte(`{"` + name + `":` + strings.Repeat(open, levels) + "1" + strings.Repeat(map[string]string{"[": "]"}[open], levels) + "}")
		}
	}
	for name, payload := range hostile {
		t.Run(name, func(t *testing.T) {
			contentType := "application/" + name[:strings.Index(name, ":")]
			d := actor.Delivery{Path: path, Message: "actor_test.Order", ContentType: contentType, Payload: payload}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := deliver(system, d)
			runtime.ReadMemStats(&after)
			codeIs(t, err, actor.InvalidArgument)
			if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+100*len(payload)); took > most {
				t.Errorf("%d bytes made it allocate %d", len(payload), took)
			}
		})
	}
}

func TestDeepProtobuf(t *testing.T) {
	system := newSystem(t)
	_, err := actor.Spawn(system, actor.Define("lobby", func() *subject { return &subject{} },
		actor.OnCall(func(*subject, *actor.Context, *testpb.Greet) (*testpb.Greeting, error) { return nil, nil })))
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte{}
	for range 2000 {
		payload = append(binary.AppendUvarint([]byte{0x12}, uint64(len(payload))), payload...)
	}
	_, err = deliver(system, actor.Delivery{Path: "lobby", Message: "troupe.test.Greet", ContentType: "application/protobuf", Payload: payload})
	codeIs(t, err, actor.InvalidArgument)
	_, err = deliver(system, actor.Delivery{Path: "lobby", Message: "troupe.test.Greet", ContentType: "application/json",
		Payload: []byte(strings.Repeat(`{"inner":`, 2000) + "{}" + strings.Repeat("}", 2000))})
	codeIs(t, err, actor.InvalidArgument)
}
