package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/security"
)

// rawCodec lets a gRPC client send any bytes as a frame.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// insider has a certificate of the cluster, and no manners.
type insider struct {
	t           *testing.T
	conn        *grpc.ClientConn
	incarnation string // of the victim
}

func newInsider(t *testing.T, c *clustertest.Cluster, keys *security.Credentials, victim *cluster.Node) *insider {
	t.Helper()
	identity, err := keys.Identity("insider")
	if err != nil {
		t.Fatal(err)
	}
	h := c.Network.Host("insider")
	conn, err := grpc.NewClient("passthrough:///"+victim.Address(),
		grpc.WithTransportCredentials(credentials.NewTLS(identity.ClientTLS(victim.Name(), "h2"))),
		grpc.WithContextDialer(h.Dial),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallSendMsgSize(math.MaxInt32)))
	if err != nil {
		t.Fatal(err)
	}
	in := &insider{t: t, conn: conn}
	// The refusal of a wrong incarnation tells the right one.
	_, err = in.receive(in.open(metadata.Pairs("troupe-expect", "1")))
	found := regexp.MustCompile(`has incarnation (\d+)`).FindStringSubmatch(fmt.Sprint(err))
	if found == nil {
		t.Fatal("the incarnation is not known:", err)
	}
	in.incarnation = found[1]
	return in
}

// open opens a stream, with changes to the metadata that a node would send.
func (in *insider) open(changes metadata.MD) grpc.ClientStream {
	in.t.Helper()
	md := metadata.Pairs("troupe-version", "1", "troupe-node", "insider", "troupe-incarnation", "5",
		"troupe-expect", in.incarnation, "troupe-lane", "0")
	for k, v := range changes {
		md[k] = v
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	in.t.Cleanup(cancel)
	s, err := in.conn.NewStream(metadata.NewOutgoingContext(ctx, md),
		&grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/troupe.wire.v1.Link/Open")
	if err != nil {
		in.t.Fatal(err)
	}
	return s
}

// receive returns the next envelope that answers something.
func (in *insider) receive(s grpc.ClientStream) (wire.View, error) {
	for {
		var data []byte
		if err := s.RecvMsg(&data); err != nil {
			return wire.View{}, err
		}
		frame := wire.Parse(data)
		var v wire.View
		if frame.Next(&v) {
			return v, nil
		}
	}
}

func frameOf(envelopes ...wire.Envelope) []byte {
	var b []byte
	for _, e := range envelopes {
		b = wire.AppendEnvelope(b, &e)
	}
	return b
}

// hostile is a frame, and the code of the answer to the last call in it.
type hostile struct {
	frame []byte
	code  actor.Code
}

// goodCall is a call that is answered.
func goodCall() wire.Envelope {
	return wire.Envelope{
		Kind: wire.Call, ID: 1, To: "worker", Message: "cluster_test.Where",
		ContentType: "application/msgpack", Payload: []byte{0x80},
	}
}

func goodCallWith(change func(*wire.Envelope)) []byte {
	e := goodCall()
	change(&e)
	return frameOf(e)
}

func hostileFrames() map[string]hostile {
	good, with := goodCall(), goodCallWith
	return map[string]hostile{
		"an unknown actor":      {with(func(e *wire.Envelope) { e.To = "nobody" }), actor.NotFound},
		"no actor":              {with(func(e *wire.Envelope) { e.To = "" }), actor.NotFound},
		"an odd path":           {with(func(e *wire.Envelope) { e.To = strings.Repeat("../", 1000) }), actor.NotFound},
		"a former actor":        {with(func(e *wire.Envelope) { e.UID = 12345 }), actor.NotFound},
		"an unknown message":    {with(func(e *wire.Envelope) { e.Message = "cluster_test.Nothing" }), actor.Unimplemented},
		"a cast that is called": {with(func(e *wire.Envelope) { e.Message = "cluster_test.Note" }), actor.Unimplemented},
		"an unknown encoding":   {with(func(e *wire.Envelope) { e.ContentType = "text/odd" }), actor.InvalidArgument},
		"a broken payload":      {with(func(e *wire.Envelope) { e.Payload = []byte{0xc1, 0xff} }), actor.InvalidArgument},
		"deep nesting":          {with(func(e *wire.Envelope) { e.Payload = bytes.Repeat([]byte{0x91}, 1<<20) }), actor.InvalidArgument},
		"a promised giant": {with(func(e *wire.Envelope) {
			e.Message = "cluster_test.Echo"
			e.Payload = []byte{0x81, 0xa4, 'T', 'e', 'x', 't', 0xc6, 0xff, 0xff, 0xff, 0xff}
		}), actor.InvalidArgument},
		"an odd sender": {with(func(e *wire.Envelope) { e.From = "//\x00" }), actor.OK},
		"an odd chain":  {with(func(e *wire.Envelope) { e.Chain = []byte{0x0a, 0xff} }), actor.InvalidArgument},
		"an endless chain": {with(func(e *wire.Envelope) {
			for range 1000 {
				e.Chain = wire.AppendHop(e.Chain, wire.Hop{Actor: "actor://node-0/worker", Ask: 1})
			}
		}), actor.InvalidArgument},
		"a made up chain": {with(func(e *wire.Envelope) {
			e.Chain = wire.AppendHop(nil, wire.Hop{Actor: "actor://node-0/worker#1"})
		}), actor.OK},
		"an endless timeout": {with(func(e *wire.Envelope) { e.Timeout = math.MaxUint64 }), actor.OK},
		"kinds of the other direction": {frameOf(wire.Envelope{Kind: wire.Reply, ID: 1}, wire.Envelope{Kind: wire.Failure, ID: 2},
			wire.Envelope{Kind: wire.Terminated, ID: 3}, wire.Envelope{Kind: 99, ID: 4}, wire.Envelope{Kind: wire.Cancel, ID: 5},
			wire.Envelope{Kind: wire.Unwatch, ID: 6}, good), actor.OK},
		"one ID twice": {frameOf(wire.Envelope{Kind: wire.Watch, ID: 1, To: "worker"}, wire.Envelope{Kind: wire.Watch, ID: 1, To: "worker"}, good, good), actor.OK},
	}
}

func TestAHostilePeerHarmsOnlyItself(t *testing.T) {
	keys := derive(t, "no secret at all, but long enough", "test")
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		in := newInsider(t, c, keys, c.Node(0))
		defer in.conn.Close()
		wantWorking(t, c)
		exchange := func(frame []byte) (wire.View, error) {
			s := in.open(nil)
			if err := s.SendMsg(frame); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			v, err := in.receive(s)
			_ = s.CloseSend()
			return v, err
		}
		if v, err := exchange(frameOf(goodCall())); err != nil || v.Kind != wire.Reply {
			t.Fatalf("a good call: %v, %v", v, err)
		}
		before := measure()

		for what, test := range hostileFrames() {
			v, err := exchange(test.frame)
			if err != nil || actor.Code(v.Code) != test.code || (v.Kind == wire.Reply) != (test.code == actor.OK) {
				t.Errorf("%s: %v %d %s, %v, want %v", what, v.Kind, v.Code, v.Text, err, test.code)
			}
		}

		in.sendDamaged(frameOf(goodCall(), goodCall()))
		if _, err := exchange([]byte{0x0a, 0xff, 0xff}); status.Code(err) != codes.InvalidArgument {
			t.Error("a truncated frame:", err)
		}
		if _, err := exchange(goodCallWith(func(e *wire.Envelope) { e.Payload = make([]byte, 100<<20) })); status.Code(err) != codes.ResourceExhausted {
			t.Error("100 MiB:", err)
		}
		in.sendOddMetadata(t)
		wantWorking(t, c)
		<-time.After(time.Minute)
		before.wantBack(t)
	})
}

// sendDamaged sends parts of a frame, every other one with damage.
func (in *insider) sendDamaged(whole []byte) {
	dice := rand.New(rand.NewPCG(3, 3))
	for i := range 200 {
		frame := bytes.Clone(whole[:dice.IntN(len(whole))])
		if i%2 == 0 && len(frame) > 0 {
			for range 5 {
				frame[dice.IntN(len(frame))] = byte(dice.Uint32())
			}
		}
		s := in.open(nil)
		_ = s.SendMsg(frame)
		_ = s.CloseSend()
		for err := error(nil); err == nil; {
			_, err = in.receive(s)
		}
	}
}

// sendOddMetadata opens streams that say odd things of the node, or of its number.
func (in *insider) sendOddMetadata(t *testing.T) {
	t.Helper()
	for what, md := range map[string]metadata.MD{
		"another's name": metadata.Pairs("troupe-node", "node-1"),
		"no name":        metadata.Pairs("troupe-node", ""),
		"a lane":         metadata.Pairs("troupe-lane", "1000"),
		"a version":      metadata.Pairs("troupe-version", "0"),
		"no number":      metadata.Pairs("troupe-incarnation", "x"),
	} {
		if _, err := in.receive(in.open(md)); err == nil || status.Code(err) == codes.DeadlineExceeded {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range 1000 { // what it could make the node remember
		s := in.open(metadata.Pairs("troupe-incarnation", fmt.Sprint(i+10)))
		_ = s.SendMsg(frameOf(wire.Envelope{Kind: wire.Watch, ID: 1, To: "worker"}))
		_ = s.CloseSend()
		for err := error(nil); err == nil; {
			_, err = in.receive(s)
		}
	}
}
