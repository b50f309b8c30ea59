package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/cluster/internal/wirepb"
)

func full() wire.Envelope {
	return wire.Envelope{
		Kind: wire.Failure, ID: 1 << 40, To: "/greeter", UID: 7, From: "/caller", Message: "greet.Hello",
		ContentType: "application/json", Payload: []byte(`{"Name":"Ada"}`), Timeout: 5e9,
		Code: 14, Reason: "stopped", Text: "the actor has stopped", NotRun: true,
		Chain: wire.AppendHop(nil, wire.Hop{Actor: "actor://a/greeter#1f", Ask: 3}), Total: 1 << 50,
	}
}

func toProto(e *wire.Envelope) *wirepb.Envelope {
	return &wirepb.Envelope{
		Kind: wirepb.Kind(e.Kind), Id: e.ID, To: e.To, Uid: e.UID, From: e.From, Message: e.Message,
		ContentType: e.ContentType, Payload: e.Payload, Timeout: e.Timeout, Code: e.Code,
		Reason: e.Reason, Text: e.Text, NotRun: e.NotRun, Chain: e.Chain, Total: e.Total,
	}
}

func viewToProto(v *wire.View) *wirepb.Envelope {
	return &wirepb.Envelope{
		Kind: wirepb.Kind(v.Kind), Id: v.ID, To: string(v.To), Uid: v.UID, From: string(v.From),
		Message: string(v.Message), ContentType: string(v.ContentType), Payload: v.Payload,
		Timeout: v.Timeout, Code: v.Code, Reason: string(v.Reason), Text: string(v.Text), NotRun: v.NotRun, Chain: v.Chain, Total: v.Total,
	}
}

func TestProtobufReadsWhatIsAppended(t *testing.T) {
	one, two := full(), wire.Envelope{Kind: wire.Cast, To: "x"}
	b := wire.AppendEnvelope(nil, &one)
	b = wire.AppendEnvelope(b, &two)
	b = wire.AppendAcked(b, 1<<63)
	var got wirepb.Frame
	if err := proto.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := &wirepb.Frame{Envelopes: []*wirepb.Envelope{toProto(&one), toProto(&two)}, Acked: 1 << 63}
	if !proto.Equal(&got, want) {
		t.Fatalf("got %v, want %v", &got, want)
	}
}

func TestWhatProtobufWritesIsParsed(t *testing.T) {
	one, two := full(), wire.Envelope{}
	want := &wirepb.Frame{Envelopes: []*wirepb.Envelope{toProto(&one), toProto(&two)}, Acked: 3}
	b, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parse(b); err != nil || !proto.Equal(got, want) {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}
}

func TestSizeIsWhatAppendAdds(t *testing.T) {
	long := wire.Envelope{Kind: -1, Payload: make([]byte, 1<<20)}
	for _, e := range []wire.Envelope{{}, full(), long} {
		if got, want := wire.Size(&e), len(wire.AppendEnvelope(nil, &e)); got != want {
			t.Errorf("Size = %d, appended %d", got, want)
		}
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	e := full()
	whole := wire.AppendEnvelope(nil, &e)
	for n := 1; n < len(whole); n++ {
		if _, err := parse(whole[:n:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("a frame cut at %d of %d: %v", n, len(whole), err)
		}
	}
}

func TestUnknownFieldsArePassedOver(t *testing.T) {
	e := full()
	b := append([]byte{0x9a, 0x01, 2, 'h', 'i'}, wire.AppendEnvelope(nil, &e)...) // field 19, bytes
	got, err := parse(b)
	if err != nil || !proto.Equal(got, &wirepb.Frame{Envelopes: []*wirepb.Envelope{toProto(&e)}}) {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestAViewAliasesTheFrame(t *testing.T) {
	e := full()
	b := wire.AppendEnvelope(nil, &e)
	f := wire.Parse(b)
	var v wire.View
	if !f.Next(&v) {
		t.Fatal(f.Err())
	}
	at := bytes.Index(b, v.Payload)
	if &b[at] != &v.Payload[0] {
		t.Fatal("the payload was copied")
	}
}

func TestNothingIsAllocatedForAnEnvelope(t *testing.T) {
	e := full()
	b := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		b = wire.AppendEnvelope(b[:0], &e)
		f := wire.Parse(b)
		var v wire.View
		for f.Next(&v) {
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func TestKindsHaveNames(t *testing.T) {
	for k := wire.Cast; k <= wire.Room; k++ {
		if got, want := "KIND_"+k.String(), wirepb.Kind_name[int32(k)]; !equalFold(got, want) {
			t.Errorf("%d is %s, in the schema %s", k, got, want)
		}
	}
	if wire.Kind(0).String() != "unknown" {
		t.Error("kind 0 has a name")
	}
}

func equalFold(a, b string) bool { return bytes.EqualFold([]byte(a), []byte(b)) }

func parse(b []byte) (*wirepb.Frame, error) {
	out := new(wirepb.Frame)
	f := wire.Parse(b)
	var v wire.View
	for f.Next(&v) {
		out.Envelopes = append(out.Envelopes, viewToProto(&v))
	}
	out.Acked = f.Acked()
	return out, f.Err()
}

// FuzzParse holds Parse against proto.Unmarshal on any bytes. They differ in one
// thing: Parse takes strings that are not UTF-8.
func FuzzParse(f *testing.F) {
	e := full()
	f.Add(wire.AppendAcked(wire.AppendEnvelope(nil, &e), 9))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{0x0b, 0x0c})
	f.Add([]byte{0x0a, 0x03, 0x08, 0x80, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parse(b)
		var want wirepb.Frame
		pbErr := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, &want)
		switch {
		case err != nil && pbErr == nil:
			t.Fatalf("refused a good frame: %v", err)
		case err == nil && pbErr != nil:
			if !strings.Contains(pbErr.Error(), "UTF-8") {
				t.Fatalf("took a bad frame: %v", pbErr)
			}
		case err == nil && !proto.Equal(got, &want):
			t.Fatalf("got %v, want %v", got, &want)
		}
	})
}

// FuzzRoundTrip holds Parse against AppendEnvelope.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int32(1), uint64(2), "to", uint64(3), "from", "message", "type", []byte("payload"), uint64(4), uint32(5), "reason", "text", true)
	f.Fuzz(func(t *testing.T, kind int32, id uint64, to string, uid uint64, from, message, typ string, payload []byte,
		timeout uint64, code uint32, reason, text string, notRun bool) {
		e := wire.Envelope{
			Kind: wire.Kind(kind), ID: id, To: to, UID: uid, From: from, Message: message, ContentType: typ,
			Payload: payload, Timeout: timeout, Code: code, Reason: reason, Text: text, NotRun: notRun,
		}
		b := wire.AppendEnvelope(nil, &e)
		if len(b) != wire.Size(&e) {
			t.Fatalf("Size = %d, appended %d", wire.Size(&e), len(b))
		}
		fr := wire.Parse(b)
		var v wire.View
		if !fr.Next(&v) {
			t.Fatal(fr.Err())
		}
		got := wire.Envelope{
			Kind: v.Kind, ID: v.ID, To: string(v.To), UID: v.UID, From: string(v.From), Message: string(v.Message),
			ContentType: string(v.ContentType), Payload: v.Payload, Timeout: v.Timeout, Code: v.Code,
			Reason: string(v.Reason), Text: string(v.Text), NotRun: v.NotRun, Total: v.Total,
		}
		if !proto.Equal(toProto(&got), toProto(&e)) {
			t.Fatalf("got %+v, want %+v", got, e)
		}
		if fr.Next(&v) || fr.Err() != nil {
			t.Fatalf("something follows: %v", fr.Err())
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	e := wire.Envelope{Kind: wire.Cast, To: "/service/greeter", Message: "greet.Hello", ContentType: "application/msgpack", Payload: make([]byte, 16)}
	buf := make([]byte, 0, 1024)
	for b.Loop() {
		buf = wire.AppendEnvelope(buf[:0], &e)
	}
}

func BenchmarkParse(b *testing.B) {
	e := wire.Envelope{Kind: wire.Cast, To: "/service/greeter", Message: "greet.Hello", ContentType: "application/msgpack", Payload: make([]byte, 16)}
	buf := wire.AppendEnvelope(nil, &e)
	var v wire.View
	for b.Loop() {
		f := wire.Parse(buf)
		f.Next(&v)
	}
}
