package transport

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// pulse is when something was last read from a peer, of whatever kind, and also if it is
// only a part of a large frame: its process runs. A peer of which nothing was read yet
// counts from when its link was made.
type pulse struct {
	made time.Time
	last atomic.Int64 // how long after that, in ns
}

func (p *pulse) beat() { p.last.Store(int64(time.Since(p.made))) }

func (p *pulse) latest() time.Time { return p.made.Add(time.Duration(p.last.Load())) }

// silence is how long nothing has been read.
func (p *pulse) silence() time.Duration { return time.Since(p.latest()) }

// since reports whether something was read at t or later.
func (p *pulse) since(t time.Time) bool { return !p.latest().Before(t) }

// heeded are credentials for connections whose reads count in a pulse, and whose failures
// are explained.
type heeded struct {
	credentials.TransportCredentials
	pulse   *pulse
	explain func(error) error
}

// ClientHandshake implements credentials.TransportCredentials.
func (h heeded) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, heededConn{raw, h.pulse})
	if err != nil {
		return nil, nil, h.explain(err)
	}
	return conn, info, nil
}

// Clone implements credentials.TransportCredentials.
func (h heeded) Clone() credentials.TransportCredentials {
	return heeded{h.TransportCredentials.Clone(), h.pulse, h.explain}
}

type heededConn struct {
	net.Conn
	pulse *pulse
}

func (c heededConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.pulse.beat()
	}
	return n, err
}
