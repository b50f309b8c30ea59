package port_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/port"
)

// exhausted is a listener whose Accept fails a few times before it works.
type exhausted struct {
	net.Listener
	failures int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.failures > 0 {
		e.failures--
		return nil, syscall.EMFILE
	}
	return e.Listener.Accept()
}

func TestAcceptErrorsAreWaitedOutWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := open(t, func(c *port.Config) { c.Listener = &exhausted{c.Listener, 10} })
		if _, err := f.connect(f.nodes.speaking("h2")); err != nil {
			t.Fatal(err)
		}
		f.accept("h2")
		// 5 ms doubled eight times, that is 1275 ms, then two pauses of 1 s.
		if waited, want := time.Since(start), 3275*time.Millisecond; waited != want {
			t.Errorf("accepted after %v, want %v", waited, want)
		}
	})
}

func TestCloseDoesNotWaitForAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, func(c *port.Config) { c.Listener = &exhausted{c.Listener, 1 << 30} })
		<-time.After(time.Minute + time.Millisecond)
		start := time.Now()
		f.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close took %v", waited)
		}
	})
}

func TestAFloodOfStrangersDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := open(t, func(c *port.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		flood := func() {
			for range 100 {
				c := f.dial()
				c.Write([]byte("garbage in, garbage out"))
				c.Read(make([]byte, 1))
			}
			synctest.Wait()
		}
		flood()
		<-time.After(time.Minute)
		flood()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[1], "refused_before_without_warning=99") {
			t.Errorf("200 refusals in a minute are logged as %d lines:\n%s", len(lines), log.String())
		}
		if !strings.Contains(lines[0], f.away.IP().String()) || !strings.Contains(lines[0], "does not speak TLS") {
			t.Errorf("the warning does not say who was refused, and why: %s", lines[0])
		}
		if got := len(f.refused.all()); got != 200 {
			t.Errorf("the hook was told of %d refusals, want 200", got)
		}
	})
}

func TestAPeerWithAnotherSecretIsNamedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := open(t, func(c *port.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		config := newAuthority(t).speaking("h2")
		config.InsecureSkipVerify = true
		readAfter(f.connect(config))
		f.dial().Close() // a health check is no warning
		synctest.Wait()
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "another secret") {
			t.Errorf("logged: %s", log.String())
		}
	})
}

// Over real sockets, many hostile clients leave nothing behind.
func TestGoroutinesAndMemoryReturnAfterHostileClients(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nodes := newAuthority(t)
	refused := make(chan error, 1024)
	home, err := port.Open(port.Config{
		Listener: l, Packets: p, TLS: nodes.server, Protocols: []string{"h2"},
		Refused: func(_ net.Addr, err error) { refused <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()

	const clients = 500
	wave := func(attack func(net.Conn)) {
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				c, err := net.Dial("tcp", home.Addr().String())
				if err != nil {
					t.Error(err)
					refused <- err
					return
				}
				attack(c)
				c.Close()
			})
		}
		for range clients {
			<-refused
		}
		all.Wait()
	}
	random := func(c net.Conn) {
		b := make([]byte, 4096)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		c.Write(b)
	}
	helloOfBoundlessLength := func(c net.Conn) {
		c.Write([]byte{22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff})
		c.Write(make([]byte, 16<<10))
	}
	silent := func(net.Conn) {}

	goroutines := runtime.NumGoroutine()
	before := heap()
	wave(random)
	wave(helloOfBoundlessLength)
	wave(silent)

	// A handshake may report its refusal just before its goroutine ends.
	for runtime.NumGoroutine() > goroutines {
		if t.Context().Err() != nil {
			t.Fatal("goroutines are left")
		}
		runtime.Gosched()
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("after %d hostile clients the heap has grown by %d KiB", 3*clients, grown>>10)
	}

	c, err := tls.Dial("tcp", home.Addr().String(), nodes.speaking("h2"))
	if err != nil {
		t.Fatalf("a peer after the attack: %v", err)
	}
	defer c.Close()
	if _, err := home.Listener("h2").Accept(); err != nil {
		t.Error(err)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAPeerThatRefusesThisNodeIsExplained(t *testing.T) {
	for where, want := range map[string]string{"away": "looks for another node", "home": "it is this node itself: then another node advertises"} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			f := open(t, func(c *port.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			f.away = f.network.Host(where)
			config := f.nodes.speaking("h2")
			config.VerifyConnection = func(tls.ConnectionState) error { return errors.New("not who it looks for") }
			if _, err := f.connect(config); err == nil {
				t.Fatal("the handshake succeeds")
			}
			synctest.Wait()
			if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "another secret") {
				t.Errorf("from %s it logs %s", where, log.String())
			}
		})
	}
}

func TestWhoIsWelcomeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var welcomed []string
		f := open(t, func(c *port.Config) {
			c.Welcomed = func(conn *tls.Conn) {
				mu.Lock()
				defer mu.Unlock()
				welcomed = append(welcomed, conn.ConnectionState().NegotiatedProtocol)
			}
		})
		for _, config := range []*tls.Config{f.nodes.speaking("h2"), newAuthority(t).speaking("h2"), f.nodes.speaking("other")} {
			config.InsecureSkipVerify = true
			c, err := f.connect(config)
			_ = c.SetReadDeadline(time.Now().Add(time.Second)) // the one that is welcome reads nothing
			readAfter(c, err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(welcomed, []string{"h2"}) {
			t.Errorf("welcomed: %q", welcomed)
		}
	})
}
