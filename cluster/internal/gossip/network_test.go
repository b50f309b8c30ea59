package gossip

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// testNetwork is an in-memory network for use within a synctest bubble. The
// one of cluster/clustertest cannot be used here: it imports package cluster,
// which imports this one.
type testNetwork struct {
	mu     sync.Mutex
	hosts  map[string]*testHost
	cut    map[[2]string]bool
	killed map[string]bool // their systems refuse connections
	paused map[string]bool // their systems take connections
	loss   atomic.Uint64   // bits of the share of packets that get lost
}

func newTestNetwork() *testNetwork {
	return &testNetwork{
		hosts: make(map[string]*testHost), cut: make(map[[2]string]bool),
		killed: make(map[string]bool), paused: make(map[string]bool),
	}
}

// testHost is the socket and the listener of one address.
type testHost struct {
	net     *testNetwork
	address string
	packets chan testPacket
	streams chan net.Conn
	close   func()
	closed  chan struct{}

	mu      sync.Mutex
	expired chan struct{} // closed when the read deadline is in the past
}

type testPacket struct {
	from  net.Addr
	bytes []byte
}

func (n *testNetwork) listen(t *testing.T, address string) *testHost {
	h := &testHost{
		net:     n,
		address: address,
		packets: make(chan testPacket, 256),
		streams: make(chan net.Conn),
		closed:  make(chan struct{}),
		expired: make(chan struct{}),
	}
	h.close = sync.OnceFunc(func() { close(h.closed) })
	n.mu.Lock()
	n.hosts[address] = h
	n.mu.Unlock()
	t.Cleanup(h.close)
	return h
}

// unplug makes the host vanish, as a crash of its machine does.
func (n *testNetwork) unplug(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hosts, address)
}

// kill ends the process at an address, as SIGKILL does.
func (n *testNetwork) kill(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.killed[address] = true
}

// pause stops the process at an address, as SIGSTOP does, or lets it go on.
func (n *testNetwork) pause(address string, paused bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paused[address] = paused
}

// dumb reports whether no process answers at an address, and whether its system takes
// connections.
func (n *testNetwork) dumb(address string) (dumb, refuses bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.killed[address] || n.paused[address], n.killed[address]
}

// lose reports whether a packet is lost.
func (n *testNetwork) lose() bool {
	share := math.Float64frombits(n.loss.Load())
	return share > 0 && rand.Float64() < share
}

// loseSome has that share of packets get lost from now on.
func (n *testNetwork) loseSome(share float64) { n.loss.Store(math.Float64bits(share)) }

// partition cuts or heals the way between two addresses.
func (n *testNetwork) partition(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
}

func (n *testNetwork) route(from, to string) *testHost {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut[[2]string{from, to}] || n.hosts[from] == nil && from != "stranger" {
		return nil
	}
	return n.hosts[to]
}

func (n *testNetwork) send(from, to string, b []byte) {
	h := n.route(from, to)
	fromDumb, _ := n.dumb(from)
	toDumb, _ := n.dumb(to)
	if h == nil || fromDumb || toDumb || n.lose() {
		return
	}
	select {
	case h.packets <- testPacket{testAddr(from), append([]byte(nil), b...)}:
	default: // full: dropped
	}
}

func (h *testHost) dial(ctx context.Context, to string) (net.Conn, error) {
	target := h.net.route(h.address, to)
	dumb, refuses := h.net.dumb(to)
	switch {
	case refuses:
		return nil, errRefused
	case target == nil || dumb:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	mine, theirs := net.Pipe()
	select {
	case target.streams <- theirs:
		return mine, nil
	case <-target.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// reach is the handshake of TCP, which takes two packets.
func (h *testHost) reach(ctx context.Context, to string) error {
	target := h.net.route(h.address, to)
	if own, _ := h.net.dumb(h.address); own || target == nil || h.net.lose() || h.net.lose() {
		<-ctx.Done()
		return ctx.Err()
	}
	if _, refuses := h.net.dumb(to); refuses {
		return errRefused
	}
	return nil
}

func (h *testHost) ReadFrom(b []byte) (int, net.Addr, error) {
	h.mu.Lock()
	expired := h.expired
	h.mu.Unlock()
	select {
	case p := <-h.packets:
		return copy(b, p.bytes), p.from, nil
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (h *testHost) WriteTo(b []byte, to net.Addr) (int, error) {
	h.net.send(h.address, to.String(), b)
	return len(b), nil
}

// SetReadDeadline knows the past and never.
func (h *testHost) SetReadDeadline(d time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.IsZero() {
		h.expired = make(chan struct{})
	} else {
		close(h.expired)
	}
	return nil
}

func (h *testHost) Accept() (net.Conn, error) {
	select {
	case c := <-h.streams:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *testHost) Addr() net.Addr                   { return testAddr(h.address) }
func (h *testHost) LocalAddr() net.Addr              { return testAddr(h.address) }
func (h *testHost) SetDeadline(time.Time) error      { return nil }
func (h *testHost) SetWriteDeadline(time.Time) error { return nil }
func (h *testHost) Close() error                     { h.close(); return nil }

type testAddr string

func (testAddr) Network() string  { return "test" }
func (a testAddr) String() string { return string(a) }
