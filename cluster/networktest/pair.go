package networktest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// pair is what a case works with: two hosts that listen.
type pair struct {
	*testing.T
	a, b *end
	// settle gives goroutines the chance to get to where they wait.
	settle func()
}

type end struct {
	Host
	listener net.Listener
	packets  net.PacketConn
}

func (e *end) address() string { return e.listener.Addr().String() }

func newPair(t *testing.T, hosts NewHosts, settle func()) *pair {
	t.Helper()
	a, b := hosts(t)
	p := &pair{T: t, settle: settle}
	p.a, p.b = p.listen(a), p.listen(b)
	return p
}

func (p *pair) listen(h Host) *end {
	p.Helper()
	l, packets, err := h.Network.Listen(p.Context(), h.Address)
	if err != nil {
		p.Fatalf("Listen(%q): %v", h.Address, err)
	}
	p.Cleanup(func() {
		l.Close()
		packets.Close()
	})
	return &end{Host: h, listener: l, packets: packets}
}

// connect opens a stream from a to b.
func (p *pair) connect() (client, server net.Conn) {
	p.Helper()
	client, err := p.a.Network.Dial(p.Context(), p.b.address())
	if err != nil {
		p.Fatalf("Dial(%s): %v", p.b.address(), err)
	}
	server, err = p.b.listener.Accept()
	if err != nil {
		p.Fatalf("Accept: %v", err)
	}
	p.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// parallel runs the functions at once and returns when all have.
func parallel(functions ...func()) {
	var all sync.WaitGroup
	for _, f := range functions {
		all.Go(f)
	}
	all.Wait()
}

// wantError fails the test unless err is the wanted one.
func (p *pair) wantError(what string, err, want error) {
	p.Helper()
	if !errors.Is(err, want) {
		p.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantTimeout fails the test unless err is that of a deadline.
func (p *pair) wantTimeout(what string, err error) {
	p.Helper()
	p.wantError(what, err, os.ErrDeadlineExceeded)
	var n net.Error
	if !errors.As(err, &n) || !n.Timeout() {
		p.Errorf("%s: error %v is not a net.Error with Timeout", what, err)
	}
}

func (p *pair) write(c net.Conn, s string) {
	p.Helper()
	if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
		p.Errorf("Write(%q) = %d, %v", s, n, err)
	}
}

// past is a time whose deadline has gone by, however slow the machine.
func past() time.Time { return time.Now().Add(-time.Second) }

// soon is a time after which a waiting call is to end.
func soon() time.Time { return time.Now().Add(20 * time.Millisecond) }

func cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
