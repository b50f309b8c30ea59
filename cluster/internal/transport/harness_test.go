package transport

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen: not a measure of
// speed, only the end of waiting for ever.
const patience = time.Minute

// handler answers with functions.
type handler struct {
	receive func(*Inbound, *wire.View)
	closed  func(*Inbound)
}

func (h handler) Receive(from *Inbound, e *wire.View) { h.receive(from, e) }

func (h handler) Closed(from *Inbound) {
	if h.closed != nil {
		h.closed(from)
	}
}

func ignore(*Inbound, *wire.View) {}

func echo(in *Inbound, e *wire.View) {
	if e.Kind == wire.Call {
		in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID, Payload: e.Payload})
	}
}

// network dials TCP and remembers both ends of what it dialled, to cut them.
type network struct {
	mu    sync.Mutex
	conns []net.Conn
	dials int
}

func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	n.mu.Unlock()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return c, nil
}

// cut breaks every connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

// node is a transport that serves on loopback.
type node struct {
	*Transport
	network *network
	address string
}

const serverIncarnation = 77

// client returns a transport that only sends.
func client(t testing.TB, cfg Config) *node {
	t.Helper()
	n := &node{network: new(network)}
	cfg.Node, cfg.Incarnation = "client", 11
	if cfg.Dial == nil {
		cfg.Dial = n.network.dial
	}
	if cfg.Handler == nil {
		cfg.Handler = handler{receive: ignore}
	}
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Transport = tr
	t.Cleanup(func() { shut(t, tr) })
	return n
}

// server returns a transport that serves h.
func server(t testing.TB, cfg Config) *node {
	t.Helper()
	return serveOn(t, cfg, listen(t, "127.0.0.1:0"), serverIncarnation)
}

func serveOn(t testing.TB, cfg Config, l net.Listener, incarnation uint64) *node {
	t.Helper()
	n := &node{network: new(network), address: l.Addr().String()}
	cfg.Node, cfg.Incarnation = "server", incarnation
	cfg.Dial = n.network.dial
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Transport = tr
	served := make(chan error, 1)
	go func() { served <- tr.Serve(l) }()
	t.Cleanup(func() {
		shut(t, tr)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return n
}

func (n *node) peer(s *node) *Peer { return n.Peer("server", s.address, serverIncarnation) }

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func shut(t testing.TB, tr *Transport) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}

// must waits for a value.
func must[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func ask(p *Peer, payload string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := p.Call(ctx, &wire.Envelope{To: "echo", Message: "test.Echo", Payload: []byte(payload)})
	return string(v.Payload), err
}

// callUntilAnswered calls until the link is there again.
func callUntilAnswered(t testing.TB, p *Peer) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		_, err := ask(p, "hello")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func wantKind(t testing.TB, err error, kind ErrorKind, cause error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || cause != nil && !errors.Is(err, cause) {
		t.Fatalf("got the error %v, want kind %d and cause %v", err, kind, cause)
	}
}
