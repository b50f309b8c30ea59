package transport

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/cluster/internal/wirepb"
)

// rawStream opens a stream as any gRPC client with the schema could.
func rawStream(t *testing.T, address string, change map[string]string, opts ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	md := metadata.Pairs(keyVersion, "1", keyNode, "raw", keyIncarnation, "1",
		keyExpect, strconv.Itoa(serverIncarnation), keyLane, "0")
	for k, v := range change {
		md.Set(k, v)
	}
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), md), patience)
	t.Cleanup(cancel)
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, linkMethod, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnyGRPCClientWithTheSchemaCanTakePart(t *testing.T) {
	s := server(t, Config{Handler: handler{receive: echo}})
	stream := rawStream(t, s.address, nil)
	err := stream.SendMsg(&wirepb.Frame{Envelopes: []*wirepb.Envelope{
		{Kind: wirepb.Kind_KIND_CAST, To: "a"}, {Kind: wirepb.Kind_KIND_CALL, Id: 9, Payload: []byte("hello")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var envelopes []*wirepb.Envelope
	acked := uint64(0)
	for acked < 2 || len(envelopes) == 0 {
		var f wirepb.Frame
		if err := stream.RecvMsg(&f); err != nil {
			t.Fatal(err)
		}
		envelopes, acked = append(envelopes, f.Envelopes...), max(acked, f.Acked)
	}
	if len(envelopes) != 1 || envelopes[0].Id != 9 || string(envelopes[0].Payload) != "hello" {
		t.Fatalf("got %v", envelopes)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
}

func TestStreamsThatAreNotTroupesAreRefused(t *testing.T) {
	s := server(t, Config{Handler: handler{receive: ignore}})
	for name, c := range map[string]struct {
		change map[string]string
		want   codes.Code
	}{
		"another major": {map[string]string{keyVersion: "2"}, codes.Unimplemented},
		"no version":    {map[string]string{keyVersion: "x"}, codes.InvalidArgument},
		"no minor":      {map[string]string{keyMinor: "-1"}, codes.InvalidArgument},
		"incarnation":   {map[string]string{keyExpect: "1"}, codes.FailedPrecondition},
		"no number":     {map[string]string{keyLane: "x"}, codes.InvalidArgument},
		"lane":          {map[string]string{keyLane: "256"}, codes.InvalidArgument},
		"no name":       {map[string]string{keyNode: ""}, codes.InvalidArgument},
	} {
		if err := rawStream(t, s.address, c.change).RecvMsg(new(wirepb.Frame)); status.Code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGarbageClosesItsStreamAndNoOther(t *testing.T) {
	s := server(t, Config{Handler: handler{receive: echo}})
	p := client(t, Config{}).peer(s)
	callUntilAnswered(t, p)
	for _, garbage := range [][]byte{{0x0a, 0xff}, []byte("GET / HTTP/1.1"), bytes.Repeat([]byte{0xff}, 100_000)} {
		stream := rawStream(t, s.address, nil, grpc.ForceCodecV2(newCodec()))
		frame := &batch{data: &garbage}
		frame.seal(new(buffers))
		if err := stream.SendMsg(frame); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(new(received)); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%.10q: %v", garbage, err)
		}
	}
	if _, err := ask(p, "still there"); err != nil {
		t.Fatal(err)
	}
}

func TestAFrameOverTheLimitClosesItsStream(t *testing.T) {
	s := server(t, Config{MaxMessage: 1000, Handler: handler{receive: ignore}})
	stream := rawStream(t, s.address, nil)
	if err := stream.SendMsg(&wirepb.Frame{Envelopes: []*wirepb.Envelope{{Payload: make([]byte, 5<<20)}}}); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(new(wirepb.Frame)); status.Code(err) != codes.ResourceExhausted {
		t.Fatal(err)
	}
}

func TestAPanicInTheHandlerClosesItsStreamAlone(t *testing.T) {
	var log bytes.Buffer
	closed := make(chan struct{}, 1)
	s := server(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Handler: handler{
		receive: func(in *Inbound, e *wire.View) {
			if string(e.Payload) == "bad" {
				panic("oh no")
			}
			echo(in, e)
		},
		closed: func(*Inbound) { closed <- struct{}{} },
	}})
	p := client(t, Config{Lanes: 1}).peer(s)
	_, err := ask(p, "bad")
	wantKind(t, err, Lost, ErrBroken)
	must(t, closed, "Closed")
	callUntilAnswered(t, p)
	if !bytes.Contains(log.Bytes(), []byte("oh no")) {
		t.Error("the panic is not in the log")
	}
}

func TestAHandlerThatLeavesKeepsItsStream(t *testing.T) {
	closed := make(chan struct{}, 1)
	s := server(t, Config{Handler: handler{
		receive: func(in *Inbound, e *wire.View) {
			defer echo(in, e)
			if string(e.Payload) == "bad" {
				runtime.Goexit()
			}
		},
		closed: func(*Inbound) { closed <- struct{}{} },
	}})
	p := client(t, Config{Lanes: 1}).peer(s)
	for range 3 {
		for _, text := range []string{"good", "bad"} {
			if reply, err := ask(p, text); err != nil {
				t.Error(reply, err)
			}
		}
	}
	if len(closed) > 0 {
		t.Error("the stream was closed")
	}
}

func TestANewStreamOfALaneWaitsForTheOldOne(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var running, overlaps atomic.Int32
	closed := make(chan struct{}, 2)
	s := server(t, Config{Handler: handler{
		receive: func(_ *Inbound, e *wire.View) {
			if running.Add(1) > 1 {
				overlaps.Add(1)
			}
			defer running.Add(-1)
			if e.ID == 1 {
				close(entered)
				<-release
			}
		},
		closed: func(*Inbound) { closed <- struct{}{} },
	}})
	frame := func(id uint64) *wirepb.Frame {
		return &wirepb.Frame{Envelopes: []*wirepb.Envelope{{Kind: wirepb.Kind_KIND_CAST, Id: id}}}
	}
	old := rawStream(t, s.address, nil)
	if err := old.SendMsg(frame(1)); err != nil {
		t.Fatal(err)
	}
	must(t, entered, "the first")
	young := rawStream(t, s.address, nil)
	if err := young.SendMsg(frame(2)); err != nil {
		t.Fatal(err)
	}
	// The old stream is told to go while its handler still runs.
	if err := drain(old); status.Code(err) != codes.Aborted {
		t.Fatal(err)
	}
	close(release)
	var f wirepb.Frame
	if err := young.RecvMsg(&f); err != nil || f.Acked != 1 {
		t.Fatalf("%v, %v", &f, err)
	}
	must(t, closed, "Closed")
	if overlaps.Load() > 0 {
		t.Fatal("two streams of one lane were received at the same time")
	}
}

// drain reads a stream to its end.
func drain(s grpc.ClientStream) error {
	for {
		if err := s.RecvMsg(new(wirepb.Frame)); err != nil {
			return err
		}
	}
}

func TestAPeerThatReadsNoRepliesIsNotReadFrom(t *testing.T) {
	const queueBytes = 1 << 20
	var mu sync.Mutex
	taken := 0
	stuck := make(chan struct{})
	reply := make([]byte, 64<<10)
	s := server(t, Config{MaxMessage: 64 << 10, QueueBytes: queueBytes, Handler: handler{
		receive: func(in *Inbound, e *wire.View) {
			mu.Lock()
			taken++
			mu.Unlock()
			in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID, Payload: reply})
			if in.full.Load() {
				select {
				case <-stuck:
				default:
					close(stuck)
				}
			}
		},
	}})
	stream := rawStream(t, s.address, nil)
	const calls = 1000
	frame := new(wirepb.Frame)
	for i := range uint64(calls) {
		frame.Envelopes = append(frame.Envelopes, &wirepb.Envelope{Kind: wirepb.Kind_KIND_CALL, Id: i + 1})
	}
	if err := stream.SendMsg(frame); err != nil {
		t.Fatal(err)
	}
	must(t, stuck, "the queue to be full")
	mu.Lock()
	if got := taken; got > 200 { // windows, gRPC's buffers and the queue hold about 40
		t.Errorf("%d calls taken from a peer that reads nothing", got)
	}
	mu.Unlock()
	// Once it reads, everything comes.
	replies := 0
	for replies < calls {
		var f wirepb.Frame
		if err := stream.RecvMsg(&f); err != nil {
			t.Fatal(err)
		}
		replies += len(f.Envelopes)
	}
}

func TestASlowReceiverFillsTheSendersQueueAndNothingElse(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	var count atomic.Int64
	var once sync.Once
	s := server(t, Config{Handler: handler{receive: func(*Inbound, *wire.View) {
		once.Do(func() { close(entered) })
		<-release
		count.Add(1)
	}}})
	c := client(t, Config{Lanes: 1, MaxMessage: 1 << 10, QueueBytes: 1 << 20})
	p := c.peer(s)
	sent := int64(0)
	payload := make([]byte, 1<<10)
	send := func() error {
		err := p.Tell(&wire.Envelope{To: "slow", Payload: payload})
		if err == nil {
			sent++
		}
		return err
	}
	for range 100 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	must(t, entered, "the first")
	var err error
	for err == nil {
		if err = send(); sent > 1_000_000 {
			t.Fatal("the queue has no bound")
		}
	}
	wantKind(t, err, NotSent, ErrQueueFull)
	close(release)
	deadline := time.Now().Add(patience)
	for count.Load() < sent {
		if time.Now().After(deadline) {
			t.Fatalf("%d sent, %d arrived", sent, count.Load())
		}
		runtime.Gosched()
	}
}

func TestMemoryComesBackWhenTheBurstIsOver(t *testing.T) {
	var count atomic.Int64
	done := make(chan struct{})
	const total = 20_000
	s := server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		if count.Add(1) == total {
			close(done)
		}
		echo(in, e)
	}}})
	c := client(t, Config{QueueBytes: 64 << 20})
	p := c.peer(s)
	callUntilAnswered(t, p)
	count.Store(0)
	before := heap()
	payload := make([]byte, 1<<10)
	for range total {
		if err := p.Tell(&wire.Envelope{To: "a", Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	must(t, done, "the burst")
	callUntilAnswered(t, p)
	for _, l := range p.lanes {
		l.mu.Lock()
		if l.queue.bytes != 0 || len(l.queue.batches) != 0 {
			t.Errorf("lane %d still holds %d bytes", l.index, l.queue.bytes)
		}
		l.mu.Unlock()
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("%d bytes more after a burst of %d", grown, total<<10)
	}
}

// heap returns the live heap; pools survive one collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
