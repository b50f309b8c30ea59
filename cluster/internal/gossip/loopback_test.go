package gossip

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

// listenLoopback opens one port of the host for streams and packets.
func listenLoopback(t testing.TB) (net.Listener, net.PacketConn) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, p
		}
		_ = l.Close() // the port is taken for UDP
	}
	t.Fatal("no port is free for both TCP and UDP")
	return nil, nil
}

func TestMembersOnRealSockets(t *testing.T) {
	open := func(node string) (*Gossip, chan Event, net.PacketConn) {
		streams, packets := listenLoopback(t)
		t.Cleanup(func() { _ = packets.Close() })
		events := make(chan Event, 16)
		g, err := Open(Config{
			Cluster:     "test",
			Node:        node,
			Incarnation: 1,
			Started:     time.Now(),
			Key:         bytes.Repeat([]byte{7}, KeyLen),
			Packets:     packets,
			Streams:     streams,
			Dial: func(ctx context.Context, address string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			},
			Advertise: netip.MustParseAddrPort(streams.Addr().String()),
			Preset:    Local,
			Events:    func(e Event) { events <- e },
		})
		if err != nil {
			t.Fatal(err)
		}
		return g, events, packets
	}
	a, aEvents, aPackets := open("a")
	defer a.Close()
	b, bEvents, _ := open("b")
	defer b.Close()

	if n, err := b.Join(t.Context(), []string{a.Self().Address}); n != 1 || err != nil {
		t.Fatalf("Join = %d, %v", n, err)
	}
	if e := (<-aEvents).(Joined); e.Member != b.Self() {
		t.Errorf("got %+v, want %+v", e.Member, b.Self())
	}
	<-bEvents
	for _, data := range [][]byte{[]byte("small"), bytes.Repeat([]byte("x"), 100<<10)} {
		if err := a.SetCatalog(data); err != nil {
			t.Fatal(err)
		}
		if e := (<-bEvents).(CatalogChanged); e.Member != a.Self() || !bytes.Equal(e.Catalog, data) {
			t.Errorf("got %d bytes of %+v", len(e.Catalog), e.Member)
		}
	}
	if err := a.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := (<-bEvents).(Left); e.Member != a.Self() {
		t.Errorf("got %+v", e)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	// The socket of packets is still its owner's.
	if _, err := aPackets.WriteTo([]byte("x"), aPackets.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := aPackets.ReadFrom(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("ReadFrom = %d, %v", n, err)
	}
}
