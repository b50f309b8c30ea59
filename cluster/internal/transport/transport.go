package transport

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"net"
	"runtime/debug"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"github.com/troupe-go/troupe/persistence/version"
)

// Transport is a node's end of all its links. All its methods may be called
// concurrently.
type Transport struct {
	cfg     Config
	seed    maphash.Seed
	buffers buffers
	calls   sync.Pool // of *call
	server  *grpc.Server

	reporter version.Reporter

	mu      sync.Mutex
	closed  bool
	peers   map[peerKey]*Peer
	inbound map[origin]*Inbound
	wg      sync.WaitGroup // goroutines of inbound streams

	closing sync.Once
	done    chan struct{} // Close has finished
}

type peerKey struct {
	node        string
	incarnation uint64
}

// New returns a Transport that can send at once, and receives once Serve runs.
// It returns an error when cfg is incomplete or out of range.
func New(cfg Config) (*Transport, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	t := &Transport{
		cfg:     cfg,
		seed:    maphash.MakeSeed(),
		peers:   make(map[peerKey]*Peer),
		inbound: make(map[origin]*Inbound),
		done:    make(chan struct{}),
	}
	t.server = grpc.NewServer(cfg.serverOptions()...)
	t.server.RegisterService(t.linkDesc(), nil)
	return t, nil
}

// Registrar takes further gRPC services that share the node's connections. They
// must be registered before Serve is called.
func (t *Transport) Registrar() grpc.ServiceRegistrar { return t.server }

// Serve takes connections from l, whose TLS handshake is done (plain ones if
// Config has no PeerName), until l fails or Close is called. After Close it
// returns nil. It closes l.
func (t *Transport) Serve(l net.Listener) error {
	err := t.server.Serve(l)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	return fmt.Errorf("transport: the node takes no more connections: %w", err)
}

// Peer returns the link to one incarnation of a node, and makes it at the first
// call for that incarnation; address counts only then. It dials when there is
// something to send. After Close, the link it returns is closed.
func (t *Transport) Peer(node, address string, incarnation uint64) *Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := peerKey{node, incarnation}
	if p := t.peers[key]; p != nil {
		return p
	}
	p := newPeer(t, key, address)
	if t.closed {
		p.shut(ErrClosed)
		return p
	}
	t.peers[key] = p
	return p
}

func (t *Transport) forget(p *Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := peerKey{p.node, p.incarnation}
	if t.peers[key] == p {
		delete(t.peers, key)
	}
}

// Flush waits until the answers that were given to Inbound.Send are on their way,
// or ctx ends.
func (t *Transport) Flush(ctx context.Context) error {
	for _, in := range t.streams() {
		if err := in.flush(ctx); err != nil {
			return fmt.Errorf("transport: answers are not sent yet: %w", err)
		}
	}
	return nil
}

// Drain waits until no other node has a stream to this one, or ctx ends. A node that
// retires its link has the answers to all that it has sent.
func (t *Transport) Drain(ctx context.Context) {
	for ctx.Err() == nil {
		streams := t.streams()
		if len(streams) == 0 {
			return
		}
		select {
		case <-streams[0].finished:
		case <-ctx.Done():
		}
	}
}

// streams are those of other nodes.
func (t *Transport) streams() []*Inbound {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.inbound))
}

// Close ends every link and the server, and waits for their goroutines and for
// Handler calls that run. It returns ctx's error when ctx ends first; closing
// then goes on. It may be called again, to wait again.
func (t *Transport) Close(ctx context.Context) error {
	t.closing.Do(func() { go t.close() })
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("transport: still closing: %w", ctx.Err())
	}
}

func (t *Transport) close() {
	defer close(t.done)
	t.mu.Lock()
	t.closed = true
	peers := make([]*Peer, 0, len(t.peers))
	for _, p := range t.peers {
		peers = append(peers, p)
	}
	t.mu.Unlock()
	for _, p := range peers {
		p.Close(ErrClosed)
	}
	t.server.Stop()
	t.wg.Wait()
}

// guard calls a hook of the transport's user and logs its panic.
func (t *Transport) guard(hook func()) {
	defer func() {
		if r := recover(); r != nil {
			t.logPanic("a hook of the transport panicked", r)
		}
	}()
	hook()
}

func (t *Transport) logPanic(what string, r any, attrs ...any) {
	t.cfg.Logger.Error(what, append(attrs, "panic", r, "stack", string(debug.Stack()))...)
}
