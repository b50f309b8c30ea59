package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxStreams bounds the connections that peers may have open at once.
	maxStreams = 128

	// strangerLogInterval is how often packets of strangers are reported.
	strangerLogInterval = time.Minute

	// Pauses after errors of a socket, doubled up to the maximum.
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// transport carries memberlist's packets and streams over what the node gave.
type transport struct {
	advertise netip.AddrPort
	packets   net.PacketConn
	streams   net.Listener
	dial      func(ctx context.Context, address string) (net.Conn, error)
	seal      *seal
	log       *slog.Logger

	packetCh chan *memberlist.Packet
	streamCh chan net.Conn

	ctx    context.Context // ends when the transport shuts down
	cancel context.CancelFunc

	shutdown func() error
	loops    sync.WaitGroup // the goroutines that read packets and accept streams

	mu       sync.Mutex
	closed   bool
	conns    map[*conn]struct{}
	inbound  int
	attempts map[string]*attempt // joins under way, by label
	busy     sync.WaitGroup      // dials under way, and conns that memberlist has not closed

	received, rejected, accepted, refused atomic.Uint64
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func newTransport(cfg *Config, log *slog.Logger) (*transport, error) {
	s, err := newSeal(cfg.Cluster, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: Key: %w", ErrInvalidConfig, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &transport{
		advertise: netip.AddrPortFrom(cfg.Advertise.Addr().Unmap(), cfg.Advertise.Port()),
		packets:   cfg.Packets,
		streams:   cfg.Streams,
		dial:      cfg.Dial,
		seal:      s,
		log:       log,
		packetCh:  make(chan *memberlist.Packet),
		streamCh:  make(chan net.Conn),
		ctx:       ctx,
		cancel:    cancel,
		conns:     make(map[*conn]struct{}),
		attempts:  make(map[string]*attempt),
	}
	t.shutdown = sync.OnceValue(t.stop)
	return t, nil
}

// start lets packets and streams in.
func (t *transport) start() {
	t.loops.Go(t.readPackets)
	t.loops.Go(t.acceptStreams)
}

func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.advertise.Addr().AsSlice(), int(t.advertise.Port()), nil
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packetCh }
func (t *transport) StreamCh() <-chan net.Conn           { return t.streamCh }

func (t *transport) WriteTo(b []byte, address string) (time.Time, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return time.Time{}, err
	}
	if t.ctx.Err() != nil {
		return time.Now(), nil // lost, as a packet may be
	}
	_, err = t.packets.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return time.Now(), err
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

func (t *transport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: address}, timeout)
}

// DialAddressTimeout opens a stream. When the name is the label of an attempt
// to join, the stream lives no longer than the context of the attempt.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, net.ErrClosed
	}
	t.busy.Add(1)
	defer t.busy.Done()
	try := t.attempts[a.Name]
	t.mu.Unlock()

	parent := t.ctx
	if try != nil {
		parent = try.ctx
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	stream, err := t.dial(ctx, a.Addr)
	if err != nil {
		try.failed(err)
		return nil, err
	}
	if _, ok := stream.(Loop); ok {
		try.loops()
	}
	c := t.track(stream, try, false)
	if c == nil {
		_ = stream.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// Shutdown ends the goroutines of the transport and breaks its connections. It
// returns when memberlist has let go of the last one. It is idempotent.
func (t *transport) Shutdown() error { return t.shutdown() }

func (t *transport) stop() error {
	t.mu.Lock()
	t.closed = true
	conns := slices.Collect(maps.Keys(t.conns))
	t.mu.Unlock()

	t.cancel()
	err := errors.Join(ignoreClosed(t.streams.Close()), ignoreClosed(t.packets.SetReadDeadline(time.Unix(1, 0))))
	for _, c := range conns {
		_ = c.Conn.Close()
	}
	t.loops.Wait()
	t.busy.Wait()
	// The socket goes back to its owner as it came.
	return errors.Join(err, ignoreClosed(t.packets.SetReadDeadline(time.Time{})))
}

// ignoreClosed forgives an owner that closed its socket before.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (t *transport) readPackets() {
	buf := make([]byte, 64<<10)
	var pause pause
	var strangers int
	var reported time.Time
	for t.ctx.Err() == nil {
		n, from, err := t.packets.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !pause.wait(t.ctx) {
				return
			}
			continue
		}
		pause.reset()
		t.received.Add(1)
		if !t.seal.genuine(buf[:n]) {
			t.rejected.Add(1)
			strangers++
			if time.Since(reported) >= strangerLogInterval {
				t.log.Warn("gossip: dropped packets that are not of this cluster or have another key",
					"packets", strangers, "last_from", from)
				strangers, reported = 0, time.Now()
			}
			continue
		}
		p := &memberlist.Packet{Buf: bytes.Clone(buf[:n]), From: from, Timestamp: time.Now()}
		select {
		case t.packetCh <- p:
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *transport) acceptStreams() {
	var pause pause
	for {
		stream, err := t.streams.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !pause.wait(t.ctx) {
				return
			}
			continue
		}
		pause.reset()
		c := t.track(stream, nil, true)
		if c == nil {
			t.refused.Add(1)
			_ = stream.Close()
			continue
		}
		t.accepted.Add(1)
		select {
		case t.streamCh <- c:
		case <-t.ctx.Done():
			_ = c.Close()
			return
		}
	}
}

// pause spaces the attempts to use a socket that gives errors.
type pause time.Duration

func (p *pause) reset() { *p = 0 }

// wait returns false when the context ended.
func (p *pause) wait(ctx context.Context) bool {
	*p = pause(min(max(2*time.Duration(*p), minPause), maxPause))
	timer := time.NewTimer(time.Duration(*p))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
