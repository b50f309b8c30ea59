package networktest

import (
	"context"
	"errors"
	"net"
)

func onePort(p *pair) {
	for _, e := range []*end{p.a, p.b} {
		tcp, ok := e.listener.Addr().(*net.TCPAddr)
		if !ok {
			p.Fatalf("the listener has an address of type %T, want *net.TCPAddr", e.listener.Addr())
		}
		udp, ok := e.packets.LocalAddr().(*net.UDPAddr)
		if !ok {
			p.Fatalf("the packets have an address of type %T, want *net.UDPAddr", e.packets.LocalAddr())
		}
		if tcp.Port == 0 || tcp.String() != udp.String() {
			p.Errorf("listening at %v for streams and at %v for packets, want the same", tcp, udp)
		}
	}
	if p.a.address() == p.b.address() {
		p.Errorf("both hosts listen at %s", p.a.address())
	}
}

func portTaken(p *pair) {
	l, packets, err := p.a.Network.Listen(p.Context(), p.a.address())
	if err == nil {
		l.Close()
		packets.Close()
		p.Fatalf("Listen succeeds twice at %s", p.a.address())
	}

	address := p.a.address()
	p.a.listener.Close()
	p.a.packets.Close()
	l, packets, err = p.a.Network.Listen(p.Context(), address)
	if err != nil {
		p.Fatalf("Listen again, at a port that was closed: %v", err)
	}
	l.Close()
	packets.Close()
}

func malformedAddress(p *pair) {
	for _, address := range []string{"", "nonsense", "1.2.3.4", "1.2.3.4:port", "1.2.3.4:70000", "[::1:0"} {
		if l, packets, err := p.a.Network.Listen(p.Context(), address); err == nil {
			p.Errorf("Listen(%q) succeeds", address)
			l.Close()
			packets.Close()
		}
		if c, err := p.a.Network.Dial(p.Context(), address); err == nil {
			p.Errorf("Dial(%q) succeeds", address)
			c.Close()
		}
	}
}

func cancelledContext(p *pair) {
	ctx := cancelled(p.Context())
	if _, err := p.a.Network.Dial(ctx, p.b.address()); err == nil {
		p.Error("Dial succeeds with a context that has ended")
	}
	if l, packets, err := p.a.Network.Listen(ctx, p.a.Address); err == nil {
		l.Close()
		packets.Close()
		p.Error("Listen succeeds with a context that has ended")
	}
}

func refused(p *pair) {
	p.b.listener.Close()
	c, err := p.a.Network.Dial(p.Context(), p.b.address())
	if err == nil {
		c.Close()
		p.Fatal("Dial succeeds where nobody listens")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		p.Errorf("Dial where nobody listens was not refused: %v", err)
	}
}

func closeListener(p *pair) {
	parallel(
		func() {
			_, err := p.b.listener.Accept()
			p.wantError("Accept of a closed listener", err, net.ErrClosed)
		},
		func() {
			p.settle()
			p.b.listener.Close()
		})
	_, err := p.b.listener.Accept()
	p.wantError("a further Accept", err, net.ErrClosed)
	refused(p)
}
