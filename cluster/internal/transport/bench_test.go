package transport

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// envelopeFor is a message as a service would send it.
func envelopeFor(size int) wire.Envelope {
	return wire.Envelope{
		To: "/service/greeter", Message: "greet.Hello", ContentType: "application/msgpack", Payload: make([]byte, size),
	}
}

// floorTell is what a bare TCP stream takes for a message: length-prefixed
// payloads, gathered under a lock and written by one goroutine; the other side
// reads them one by one. It returns the time per message.
func floorTell(b *testing.B, size, n int) time.Duration {
	b.Helper()
	l := listen(b, "127.0.0.1:0")
	defer l.Close()
	received := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			received <- err
			return
		}
		defer c.Close()
		r := bufio.NewReaderSize(c, ioBuffer)
		var head [4]byte
		for range n {
			if _, err = io.ReadFull(r, head[:]); err != nil {
				break
			}
			if _, err = io.ReadFull(r, make([]byte, binary.BigEndian.Uint32(head[:]))); err != nil {
				break
			}
		}
		received <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var mu sync.Mutex
	cond := sync.NewCond(&mu)
	var pending, writing []byte
	go func() {
		for {
			mu.Lock()
			for len(pending) == 0 {
				cond.Wait()
			}
			pending, writing = writing[:0], pending
			cond.Broadcast()
			mu.Unlock()
			if _, err := c.Write(writing); err != nil {
				return
			}
		}
	}()
	payload := make([]byte, size)
	start := time.Now()
	for range n {
		mu.Lock()
		for len(pending) > 8<<20 {
			cond.Wait()
		}
		pending = binary.BigEndian.AppendUint32(pending, uint32(size))
		pending = append(pending, payload...)
		mu.Unlock()
		cond.Signal()
	}
	if err := <-received; err != nil {
		b.Fatal(err)
	}
	elapsed := time.Since(start)
	c.Close()
	mu.Lock()
	pending = append(pending, 0) // lets the writer see the closed connection
	mu.Unlock()
	cond.Broadcast()
	return elapsed / time.Duration(n)
}

func BenchmarkTell(b *testing.B) {
	for _, size := range []int{16, 1 << 10} {
		for _, secure := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dB/tls=%v", size, secure), func(b *testing.B) { benchmarkTell(b, size, secure) })
		}
	}
}

func benchmarkTell(b *testing.B, size int, secure bool) {
	const chunk = 512
	window := 4 << 20 / ((size + 80) * chunk) // chunks that fit half a queue
	credit := make(chan struct{}, window)
	arrived := make(chan struct{}, 1)
	count := 0
	p := benchmarkPeer(b, secure, handler{receive: func(_ *Inbound, e *wire.View) {
		if count++; count == b.N {
			arrived <- struct{}{}
		} else if count%chunk == 0 {
			<-credit
		}
	}})
	e := envelopeFor(size)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%chunk == chunk-1 {
			credit <- struct{}{}
		}
		if err := p.Tell(&e); err != nil {
			b.Fatal(err)
		}
	}
	<-arrived
	b.StopTimer()
	each := b.Elapsed() / time.Duration(b.N)
	if b.N > 10_000 {
		b.ReportMetric(float64(each)/float64(floorTell(b, size, b.N)), "x-floor")
	}
}

func BenchmarkCall(b *testing.B) {
	for _, outstanding := range []int{1, 64} {
		for _, secure := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d-outstanding/tls=%v", outstanding, secure), func(b *testing.B) {
				p := benchmarkPeer(b, secure, handler{receive: echo})
				b.ReportAllocs()
				b.ResetTimer()
				inParallel(outstanding, b.N, func() {
					e := envelopeFor(16)
					if _, err := p.Call(b.Context(), &e); err != nil {
						b.Error(err)
					}
				})
				b.StopTimer()
				each := b.Elapsed() / time.Duration(b.N)
				if b.N > 1000 {
					b.ReportMetric(float64(each)/float64(floorCall(b, outstanding, b.N)), "x-floor")
				}
			})
		}
	}
}

// floorCall is what a ping-pong over bare TCP connections takes, one for each
// caller, over all callers.
func floorCall(b *testing.B, callers, n int) time.Duration {
	b.Helper()
	l := listen(b, "127.0.0.1:0")
	defer l.Close()
	conns := make(chan net.Conn, callers)
	for range callers {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		server, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer server.Close()
		go func() {
			buf := make([]byte, 20)
			for {
				if _, err := io.ReadFull(server, buf); err != nil {
					return
				}
				if _, err := server.Write(buf); err != nil {
					return
				}
			}
		}()
		conns <- c
	}
	start := time.Now()
	inParallel(callers, n, func() {
		c := <-conns
		buf := make([]byte, 20)
		if _, err := c.Write(buf); err != nil {
			b.Error(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Error(err)
		}
		conns <- c
	})
	return time.Since(start) / time.Duration(n)
}

func inParallel(workers, n int, do func()) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				do()
			}
		})
	}
	wg.Wait()
}

func benchmarkPeer(b *testing.B, secure bool, h Handler) *Peer {
	b.Helper()
	if !secure {
		return client(b, Config{}).peer(server(b, Config{Handler: h}))
	}
	s, newClient := secureServer(b, Config{Handler: h})
	return newClient("client", Config{}).peer(s)
}
