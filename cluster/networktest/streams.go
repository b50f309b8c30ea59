package networktest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

func echo(p *pair) {
	client, server := p.connect()
	for range 3 {
		parallel(
			func() { p.write(client, "ping") },
			func() {
				b := make([]byte, 4)
				if _, err := io.ReadFull(server, b); err != nil {
					p.Errorf("the server reads: %v", err)
				}
				p.write(server, string(b)+"!")
			},
			func() {
				b := make([]byte, 5)
				if _, err := io.ReadFull(client, b); err != nil || string(b) != "ping!" {
					p.Errorf("the client reads %q, %v, want its ping echoed", b, err)
				}
			})
	}
}

func streamAddresses(p *pair) {
	client, server := p.connect()
	for _, a := range []net.Addr{client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr()} {
		if _, ok := a.(*net.TCPAddr); !ok {
			p.Errorf("address %v is a %T, want *net.TCPAddr", a, a)
		}
	}
	if got, want := client.RemoteAddr().String(), p.b.address(); got != want {
		p.Errorf("the client is connected to %s, want %s", got, want)
	}
	if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		p.Errorf("the server sees %s as the client, which is %s", got, want)
	}
}

// large is more than any socket buffers by itself.
const large = 16 << 20

// pattern returns bytes such that one lost, doubled or moved shows.
func pattern(size int, seed byte) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

func backPressure(p *pair) {
	client, server := p.connect()
	sent := pattern(large, 0)
	returned := make(chan struct{})
	received := new(bytes.Buffer)
	parallel(
		func() {
			defer close(returned)
			if n, err := client.Write(sent); n != len(sent) || err != nil {
				p.Errorf("Write of %d bytes = %d, %v", len(sent), n, err)
			}
			client.Close()
		},
		func() {
			p.settle()
			select {
			case <-returned:
				p.Errorf("a Write of %d bytes returned before any was read", large)
			default:
			}
			if _, err := io.Copy(received, server); err != nil {
				p.Errorf("Read: %v", err)
			}
		})
	if !bytes.Equal(received.Bytes(), sent) {
		p.Errorf("%d bytes arrived, or damaged ones, of %d", received.Len(), len(sent))
	}
}

func manyStreams(p *pair) {
	const streams = 32
	var servers sync.WaitGroup
	servers.Go(func() {
		for range streams {
			c, err := p.b.listener.Accept()
			if err != nil {
				p.Errorf("Accept: %v", err)
				return
			}
			servers.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	var clients sync.WaitGroup
	for i := range streams {
		clients.Go(func() {
			c, err := p.a.Network.Dial(p.Context(), p.b.address())
			if err != nil {
				p.Errorf("Dial: %v", err)
				p.b.listener.Close()
				return
			}
			defer c.Close()
			sent, got := pattern(64<<10, byte(i)), make([]byte, 64<<10)
			parallel(
				func() { c.Write(sent) },
				func() { io.ReadFull(c, got) })
			if !bytes.Equal(sent, got) {
				p.Errorf("stream %d got back what it did not send", i)
			}
		})
	}
	clients.Wait()
	servers.Wait()
}

func concurrentWrites(p *pair) {
	const writers, size = 4, 1 << 20
	client, server := p.connect()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			b := bytes.Repeat([]byte{byte('a' + i)}, size)
			if _, err := client.Write(b); err != nil {
				p.Errorf("Write: %v", err)
			}
		})
	}
	all.Go(func() {
		b := make([]byte, size)
		for range writers {
			if _, err := io.ReadFull(server, b); err != nil {
				p.Errorf("Read: %v", err)
				client.Close()
				return
			}
			if bytes.Count(b, b[:1]) != size {
				p.Error("the bytes of two writes are mixed")
			}
		}
	})
	all.Wait()
}

func closeStream(p *pair) {
	client, server := p.connect()
	p.write(client, "last words")
	if err := client.Close(); err != nil {
		p.Errorf("Close: %v", err)
	}
	if b, err := io.ReadAll(server); string(b) != "last words" || err != nil {
		p.Errorf("read %q, %v after the other side closed, want all it wrote, then EOF", b, err)
	}
	// The first write may pass before the network tells that nobody reads.
	var err error
	for range 1000 {
		if _, err = server.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	if err == nil {
		p.Error("Write to a stream that the other side closed never fails")
	}
}

func closeUnblocksStream(p *pair) {
	client, _ := p.connect()
	parallel(
		func() {
			_, err := client.Read(make([]byte, 1))
			p.wantError("Read of a closed stream", err, net.ErrClosed)
		},
		func() {
			_, err := client.Write(make([]byte, large))
			p.wantError("Write of a closed stream", err, net.ErrClosed)
		},
		func() {
			p.settle()
			client.Close()
		})
	_, err := client.Read(make([]byte, 1))
	p.wantError("a further Read", err, net.ErrClosed)
	_, err = client.Write([]byte("x"))
	p.wantError("a further Write", err, net.ErrClosed)
}

func readDeadline(p *pair) {
	client, server := p.connect()
	b := make([]byte, 1)

	client.SetReadDeadline(soon())
	_, err := client.Read(b)
	p.wantTimeout("Read until a deadline", err)

	client.SetReadDeadline(time.Time{})
	parallel(
		func() {
			_, err := client.Read(b)
			p.wantTimeout("Read when a deadline is set meanwhile", err)
		},
		func() {
			p.settle()
			client.SetDeadline(past())
		})

	client.SetDeadline(time.Time{})
	p.write(server, "x")
	if _, err := io.ReadFull(client, b); err != nil {
		p.Errorf("Read after the deadline was lifted: %v", err)
	}
}

func writeDeadline(p *pair) {
	client, server := p.connect()
	client.SetWriteDeadline(soon())
	n, err := client.Write(make([]byte, large))
	p.wantTimeout("Write that nobody reads, until a deadline", err)

	client.SetWriteDeadline(time.Time{})
	parallel(
		func() {
			p.write(client, "end")
			client.Close()
		},
		func() {
			b, err := io.ReadAll(server)
			if err != nil || len(b) != n+len("end") || string(b[n:]) != "end" {
				p.Errorf("read %d bytes, %v; Write reported %d before the deadline, and 3 after", len(b), err, n)
			}
		})
}
