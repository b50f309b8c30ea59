package transport

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/cluster/internal/wirepb"
)

func fill(q *queue, n, payload int) {
	for i := range n {
		e := wire.Envelope{Kind: wire.Cast, ID: uint64(i + 1), Payload: make([]byte, payload)}
		q.append(&e, wire.Size(&e), uint64(i+1))
	}
}

// ids returns the IDs in a batch.
func ids(t *testing.T, b *batch) []uint64 {
	t.Helper()
	f := wire.Parse(*b.data)
	var out []uint64
	var v wire.View
	for f.Next(&v) {
		out = append(out, v.ID)
	}
	if f.Err() != nil {
		t.Fatal(f.Err())
	}
	return out
}

func TestAQueueSplitsIntoBatchesBetweenEnvelopes(t *testing.T) {
	q := queue{buffers: new(buffers)}
	const n = 1000
	fill(&q, n, 1000)
	next, batches := uint64(1), 0
	for b := q.pop(); b != nil; b = q.pop() {
		if b.size() > batchBytes {
			t.Errorf("a batch of %d bytes", b.size())
		}
		for _, id := range ids(t, b) {
			if id != next {
				t.Fatalf("got %d, want %d", id, next)
			}
			next++
		}
		if b.last != next-1 {
			t.Errorf("last is %d, want %d", b.last, next-1)
		}
		batches++
	}
	if next != n+1 || batches != 4 || q.bytes != 0 {
		t.Fatalf("%d envelopes in %d batches, %d bytes left", next-1, batches, q.bytes)
	}
}

func TestWhatIsRemovedLeavesTheRestInOrder(t *testing.T) {
	q := queue{buffers: new(buffers)}
	fill(&q, 9, 10)
	q.remove(func(v *wire.View, _ int) bool { return v.ID%3 == 0 })
	before := q.bytes
	b := q.pop()
	if got := ids(t, b); fmt.Sprint(got) != "[1 2 4 5 7 8]" || b.count != 6 || before != b.size() || q.bytes != 0 {
		t.Errorf("%v is left, %d envelopes in %d bytes", got, b.count, before)
	}
	fill(&q, 3, batchBytes)
	q.remove(func(v *wire.View, _ int) bool { return v.ID == 2 })
	if len(q.batches) != 2 || q.batches[1].first != 3 {
		t.Errorf("%d batches are left", len(q.batches))
	}
	q.remove(func(*wire.View, int) bool { return true })
	if q.pop() != nil || q.bytes != 0 {
		t.Error("something is left of nothing")
	}
}

func TestABatchThatIsPutBackStaysFirstAndClosed(t *testing.T) {
	q := queue{buffers: new(buffers)}
	fill(&q, 2, 10)
	first := q.pop()
	first.seal(q.buffers)
	q.unpop(first)
	fill(&q, 3, 10)
	if got := q.pop(); got != first || got.count != 2 {
		t.Fatal("the batch put back is not the first, or has grown")
	}
	if got := q.pop(); got == nil || got.count != 3 {
		t.Fatal("the next batch is not what came later")
	}
}

func TestBuffersFitWhatIsAsked(t *testing.T) {
	var p buffers
	for _, n := range []int{0, 1, 2 << 10, 2<<10 + 1, batchBytes, 10 << 20} {
		b := p.Get(n)
		if len(*b) != 0 || cap(*b) < n {
			t.Errorf("asked for %d, got len %d cap %d", n, len(*b), cap(*b))
		}
		*b = append(*b, 1)
		p.Put(b)
	}
}

func TestAnotherServiceSharesTheServer(t *testing.T) {
	s := &node{network: new(network)}
	l := listen(t, "127.0.0.1:0")
	tr, err := New(Config{Node: "server", Dial: s.network.dial, Handler: handler{receive: ignore}})
	if err != nil {
		t.Fatal(err)
	}
	tr.Registrar().RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Double",
		Methods: []grpc.MethodDesc{{MethodName: "Double", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(wirepb.Frame)
			err := decode(in)
			return &wirepb.Frame{Acked: 2 * in.Acked}, err
		}}},
	}, nil)
	served := make(chan error, 1)
	go func() { served <- tr.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	out := new(wirepb.Frame)
	if err := conn.Invoke(t.Context(), "/test.Double/Double", &wirepb.Frame{Acked: 21}, out); err != nil || out.Acked != 42 {
		t.Errorf("got %v, %v", out, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	shut(t, tr)
	if err := <-served; err != nil {
		t.Error(err)
	}
}
