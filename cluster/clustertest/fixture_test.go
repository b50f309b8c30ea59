package clustertest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ cluster.Network = (*clustertest.Host)(nil)

// fixture is a network with hosts a and b; b listens.
type fixture struct {
	*testing.T
	*clustertest.Network
	a, b     *clustertest.Host
	listener net.Listener
	packets  net.PacketConn
}

// inBubble runs a test in a bubble. It must use the bubble's t: the context of
// another one would carry a channel across its border.
func inBubble(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := clustertest.NewNetwork(42)
		t.Cleanup(n.Close)
		f := &fixture{T: t, Network: n, a: n.Host("a"), b: n.Host("b")}
		f.listener, f.packets = f.listen(f.b)
		test(t, f)
	})
}

func (f *fixture) listen(h *clustertest.Host) (net.Listener, net.PacketConn) {
	f.Helper()
	l, p, err := h.Listen(f.Context(), ":7000")
	if err != nil {
		f.Fatal(err)
	}
	return l, p
}

// connect opens a stream from a to b.
func (f *fixture) connect() (client, server net.Conn) {
	f.Helper()
	client, err := f.a.Dial(f.Context(), f.listener.Addr().String())
	if err != nil {
		f.Fatal(err)
	}
	server, err = f.listener.Accept()
	if err != nil {
		f.Fatal(err)
	}
	return client, server
}

// dialFor dials from h to b for so long.
func (f *fixture) dialFor(h *clustertest.Host, d time.Duration) error {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), d)
	defer cancel()
	c, err := h.Dial(ctx, f.listener.Addr().String())
	if err == nil {
		c.Close()
	}
	return err
}

func (f *fixture) write(c net.Conn, s string) {
	f.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		f.Errorf("Write(%q): %v", s, err)
	}
}

// wantRead fails the test unless exactly s can be read within a minute.
func (f *fixture) wantRead(c net.Conn, s string) {
	f.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	defer c.SetReadDeadline(time.Time{})
	b := make([]byte, len(s))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != s {
		f.Errorf("read %q, %v, want %q", b[:n], err, s)
	}
}

// wantSilence fails the test if anything comes within a minute, be it an error.
func (f *fixture) wantSilence(c net.Conn) {
	f.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	defer c.SetReadDeadline(time.Time{})
	n, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		f.Errorf("Read = %d, %v, want a timeout", n, err)
	}
}

func (f *fixture) wantError(what string, err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// drain counts the packets that have come, or come within a minute.
func drain(p net.PacketConn) (count int) {
	p.SetReadDeadline(time.Now().Add(time.Minute))
	defer p.SetReadDeadline(time.Time{})
	for b := make([]byte, 100); ; count++ {
		if _, _, err := p.ReadFrom(b); err != nil {
			return count
		}
	}
}
