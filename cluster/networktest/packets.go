package networktest

import (
	"net"
	"time"
)

func packets(p *pair) {
	b := make([]byte, 2000)
	receive := func(e *end, want string) net.Addr {
		n, from, err := e.packets.ReadFrom(b)
		if err != nil {
			p.Fatalf("ReadFrom: %v", err)
		}
		if string(b[:n]) != want {
			p.Errorf("received %q, want %q", b[:n], want)
		}
		return from
	}
	to, err := net.ResolveUDPAddr("udp", p.b.packets.LocalAddr().String())
	if err != nil {
		p.Fatal(err)
	}
	question := []byte("who is there?")
	if n, err := p.a.packets.WriteTo(question, to); n != len(question) || err != nil {
		p.Fatalf("WriteTo = %d, %v", n, err)
	}
	clear(question) // the network has taken a copy
	from := receive(p.b, "who is there?")
	if _, ok := from.(*net.UDPAddr); !ok || from.String() != p.a.packets.LocalAddr().String() {
		p.Errorf("the packet is from %T %v, want *net.UDPAddr %v", from, from, p.a.packets.LocalAddr())
	}
	if _, err := p.b.packets.WriteTo([]byte("me"), from); err != nil {
		p.Fatalf("WriteTo: %v", err)
	}
	receive(p.a, "me")
}

func packetToNobody(p *pair) {
	to := p.b.packets.LocalAddr()
	p.b.packets.Close()
	if _, err := p.a.packets.WriteTo([]byte("hello?"), to); err != nil {
		p.Errorf("WriteTo: %v", err)
	}
}

func closePackets(p *pair) {
	b := make([]byte, 100)
	parallel(
		func() {
			_, _, err := p.a.packets.ReadFrom(b)
			p.wantError("ReadFrom of a closed socket", err, net.ErrClosed)
		},
		func() {
			p.settle()
			p.a.packets.Close()
		})
	_, err := p.a.packets.WriteTo(b, p.b.packets.LocalAddr())
	p.wantError("WriteTo of a closed socket", err, net.ErrClosed)
}

func packetDeadline(p *pair) {
	b := make([]byte, 100)
	p.a.packets.SetReadDeadline(soon())
	_, _, err := p.a.packets.ReadFrom(b)
	p.wantTimeout("ReadFrom until a deadline", err)

	p.a.packets.SetReadDeadline(time.Time{})
	parallel(
		func() {
			_, _, err := p.a.packets.ReadFrom(b)
			p.wantTimeout("ReadFrom when a deadline is set meanwhile", err)
		},
		func() {
			p.settle()
			p.a.packets.SetDeadline(past())
		})
}
