package port_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/port"
)

func TestConnectionsAreSortedByProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		for _, protocol := range []string{"gossip", "h2", "gossip"} {
			client, err := f.connect(f.nodes.speaking(protocol))
			if err != nil {
				t.Fatal(err)
			}
			server := f.accept(protocol)
			state := server.ConnectionState()
			if !state.HandshakeComplete || state.NegotiatedProtocol != protocol || state.Version != tls.VersionTLS13 || len(state.PeerCertificates) == 0 {
				t.Errorf("accepted for %s: handshake complete %v, protocol %q, version %x, %d client certificates",
					protocol, state.HandshakeComplete, state.NegotiatedProtocol, state.Version, len(state.PeerCertificates))
			}
			if _, err := client.Write([]byte("hi")); err != nil {
				t.Error(err)
			}
			b := make([]byte, 2)
			if _, err := io.ReadFull(server, b); err != nil || string(b) != "hi" {
				t.Errorf("read %q, %v, want hi", b, err)
			}
		}
		if refused := f.refused.all(); len(refused) != 0 {
			t.Errorf("refused: %v", refused)
		}
	})
}

func TestStrangersAreTurnedAway(t *testing.T) {
	tests := []struct {
		name string
		// visit tries to get in and returns when it was refused.
		visit func(f *fixture) error
		want  func(err error) bool
	}{
		{"no protocol", func(f *fixture) error {
			return readAfter(f.connect(f.nodes.speaking()))
		}, is(port.ErrNoProtocol)},
		{"HTTP/1.1", func(f *fixture) error {
			return readAfter(f.connect(f.nodes.speaking("http/1.1")))
		}, is(port.ErrNoProtocol)},
		{"unknown protocol", func(f *fixture) error {
			return readAfter(f.connect(f.nodes.speaking("spdy")))
		}, anyError},
		{"another certificate authority", func(f *fixture) error {
			config := newAuthority(f).speaking("h2")
			config.InsecureSkipVerify = true
			return readAfter(f.connect(config))
		}, func(err error) bool {
			var unknown *tls.CertificateVerificationError
			return errors.As(err, &unknown)
		}},
		{"no certificate", func(f *fixture) error {
			config := f.nodes.speaking("h2")
			config.Certificates = nil
			return readAfter(f.connect(config))
		}, anyError},
		{"TLS 1.2", func(f *fixture) error {
			config := f.nodes.speaking("h2")
			config.MaxVersion = tls.VersionTLS12
			return readAfter(f.connect(config))
		}, anyError},
		{"plain text", func(f *fixture) error {
			c := f.dial()
			c.Write([]byte("GET / HTTP/1.1\r\nHost: node\r\n\r\n"))
			_, err := io.ReadAll(c)
			return errors.Join(err, io.EOF)
		}, func(err error) bool {
			var notTLS tls.RecordHeaderError
			return errors.As(err, &notTLS)
		}},
		{"hanging up", func(f *fixture) error {
			f.dial().Close()
			return io.EOF
		}, is(io.EOF)},
		{"crashing", func(f *fixture) error {
			f.dial()
			f.away.Crash()
			return io.EOF
		}, is(syscall.ECONNRESET)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := open(t)
				if test.visit(f) == nil {
					t.Error("the stranger was let in")
				}
				synctest.Wait()
				if refused := f.refused.all(); len(refused) != 1 || !test.want(refused[0]) {
					t.Errorf("refused: %v", refused)
				}
			})
		})
	}
}

// readAfter tells what a client sees at last: with TLS 1.3 its own handshake can
// succeed before the server has decided.
func readAfter(c *tls.Conn, err error) error {
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	return err
}

func is(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func anyError(err error) bool { return err != nil }

func TestASilentClientIsDroppedAndDisturbsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		silent := f.dial()
		start := time.Now()

		if _, err := f.connect(f.nodes.speaking("h2")); err != nil {
			t.Fatal(err)
		}
		f.accept("h2")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("another client was served after %v", waited)
		}

		if _, err := silent.Read(make([]byte, 1)); err == nil {
			t.Error("the silent client got an answer")
		}
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("the silent client was dropped after %v, want 5s", waited)
		}
	})
}

func TestHandshakesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		for range 128 {
			f.dial()
			synctest.Wait()
		}
		if refused := f.refused.all(); len(refused) != 0 {
			t.Fatalf("refused: %v", refused)
		}
		if err := readAfter(f.connect(f.nodes.speaking("h2"))); err == nil {
			t.Error("one more client was let in")
		}
		synctest.Wait()
		if refused := f.refused.all(); len(refused) != 1 || !errors.Is(refused[0], port.ErrBusy) {
			t.Errorf("refused: %v, want ErrBusy", refused)
		}

		<-time.After(5 * time.Second)
		synctest.Wait()
		if _, err := f.connect(f.nodes.speaking("h2")); err != nil {
			t.Errorf("when the silent clients are gone: %v", err)
		}
		f.accept("h2")
	})
}

func TestAProtocolThatNobodyAcceptsDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		for range 128 {
			if _, err := f.connect(f.nodes.speaking("gossip")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := readAfter(f.connect(f.nodes.speaking("gossip"))); err == nil {
			t.Error("the backlog has no bound")
		}
		synctest.Wait()
		if refused := f.refused.all(); len(refused) != 1 || !errors.Is(refused[0], port.ErrBacklog) {
			t.Errorf("refused: %v, want ErrBacklog", refused)
		}
		if _, err := f.connect(f.nodes.speaking("h2")); err != nil {
			t.Error(err)
		}
		f.accept("h2")
	})
}

func TestAClosedListenerTurnsItsProtocolAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		waiting, err := f.connect(f.nodes.speaking("gossip"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 2 {
			if err := f.Listener("gossip").Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if err := readAfter(waiting, nil); err == nil {
			t.Error("the connection that waited is still open")
		}
		if err := readAfter(f.connect(f.nodes.speaking("gossip"))); err == nil {
			t.Error("a later connection was let in")
		}
		if _, err := f.Listener("gossip").Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
		if _, err := f.connect(f.nodes.speaking("h2")); err != nil {
			t.Errorf("another protocol: %v", err)
		}
	})
}

func TestTheListenerOfAnUnknownProtocolIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		if _, err := f.Listener("spdy").Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
	})
}

func TestCloseEndsEverythingButWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		silent := f.dial()
		accepted, err := f.connect(f.nodes.speaking("h2"))
		if err != nil {
			t.Fatal(err)
		}
		server := f.accept("h2")
		unclaimed, err := f.connect(f.nodes.speaking("h2"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		var all sync.WaitGroup
		all.Go(func() {
			if _, err := f.Listener("gossip").Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v, want net.ErrClosed", err)
			}
		})
		start := time.Now()
		for range 3 {
			all.Go(func() {
				if err := f.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		all.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close took %v", waited)
		}

		if _, err := silent.Read(make([]byte, 1)); err == nil {
			t.Error("the silent client is still connected")
		}
		if err := readAfter(unclaimed, nil); err == nil {
			t.Error("the connection that nobody accepted is still open")
		}
		if _, err := f.away.Dial(t.Context(), f.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v, want ECONNREFUSED", err)
		}
		if _, _, err := f.Packets().ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom: %v, want net.ErrClosed", err)
		}
		go accepted.Write([]byte("x"))
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			t.Errorf("the accepted connection: %v", err)
		}
		if refused := f.refused.all(); len(refused) != 0 {
			t.Errorf("closing counts as refusing: %v", refused)
		}
	})
}

func TestAPortWhoseListenerIsTakenAwayUnblocksAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		go func() {
			synctest.Wait()
			f.network.Host("home").Crash()
		}()
		if _, err := f.Listener("h2").Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestOpenRefusesAnIncompleteConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		complete := port.Config{Listener: f.Listener("h2"), Packets: f.Packets(), TLS: f.nodes.server, Protocols: []string{"h2"}}
		for name, spoil := range map[string]func(*port.Config){
			"no listener":        func(c *port.Config) { c.Listener = nil },
			"no packets":         func(c *port.Config) { c.Packets = nil },
			"no TLS":             func(c *port.Config) { c.TLS = nil },
			"no protocols":       func(c *port.Config) { c.Protocols = nil },
			"an empty protocol":  func(c *port.Config) { c.Protocols = []string{""} },
			"a choice of config": func(c *port.Config) { c.TLS = &tls.Config{GetConfigForClient: noConfig} },
		} {
			config := complete
			spoil(&config)
			if _, err := port.Open(config); err == nil {
				t.Errorf("Open succeeds with %s", name)
			}
		}
	})
}

func noConfig(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
