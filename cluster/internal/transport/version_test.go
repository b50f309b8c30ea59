package transport

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/persistence/version"
)

// logged is what a Logger was given.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestAnotherMajorIsRefusedByNameOnBothSides(t *testing.T) {
	for _, c := range []struct{ server, client version.Version }{
		{version.Version{Major: 2, Minor: 1}, version.One()},
		{version.One(), version.Version{Major: 2}},
	} {
		t.Run(c.client.String()+" calls "+c.server.String(), func(t *testing.T) {
			var logs, logc logged
			s := server(t, Config{version: c.server, Logger: logs.logger(), Handler: handler{receive: func(*Inbound, *wire.View) {
				t.Error("something was received")
			}}})
			type loss struct {
				message string
				reason  error
			}
			dropped := make(chan loss, 1)
			p := client(t, Config{version: c.client, Logger: logc.logger(), Dropped: func(_, _, message string, reason error) {
				dropped <- loss{message, reason}
			}}).peer(s)
			if err := p.Tell(&wire.Envelope{To: "a", Message: "told"}); err != nil {
				t.Fatal(err)
			}
			told := <-dropped
			_, asked := ask(p, "asked")
			for _, err := range []error{told.reason, asked} {
				var e *Error
				m := new(version.Mismatch)
				if !errors.As(err, &e) || e.Kind != NotSent || !errors.Is(err, ErrVersion) || !errors.As(err, &m) {
					t.Fatalf("sending fails with %v", err)
				}
				if m.Peer != "server" || m.Theirs != c.server || m.Node != "client" || m.Own != c.client {
					t.Errorf("it says %v", m)
				}
			}
			for peer, log := range map[string]*logged{"server": &logc, "client": &logs} {
				if got := log.String(); strings.Count(got, "another major version") != 1 || !strings.Contains(got, "peer="+peer) || !strings.Contains(got, version.Advice) {
					t.Errorf("the log on the other side of %s: %s", peer, got)
				}
			}
		})
	}
}

func TestAHigherMinorTalksAtTheLower(t *testing.T) {
	for _, c := range []struct{ server, client version.Version }{
		{version.Version{Major: 1, Minor: 7}, version.One()},
		{version.One(), version.Version{Major: 1, Minor: 7}},
	} {
		s := server(t, Config{version: c.server, Handler: handler{receive: echo}})
		if got, err := ask(client(t, Config{version: c.client}).peer(s), "hello"); err != nil || got != "hello" {
			t.Errorf("%s asks %s: %v", c.client, c.server, err)
		}
		// A hello without a minor is that of 1.0.
		for minor, want := range map[string]string{"": "0", "0": "0", "9": s.cfg.versionMinor()} {
			header, err := rawStream(t, s.address, map[string]string{keyMinor: minor}).Header()
			if err != nil || first(header, keyVersion) != "1" || first(header, keyMinor) != want {
				t.Errorf("%s answers a hello of minor %q with %v, %v", c.server, minor, header, err)
			}
		}
	}
}

func (c *Config) versionMinor() string { return first(versionPairs(c.version), keyMinor) }

func FuzzVersionOf(f *testing.F) {
	f.Add("1", "0")
	f.Add("2", "")
	f.Add("", "0")
	f.Add("1.0", "0")
	f.Fuzz(func(t *testing.T, major, minor string) {
		v, err := versionOf(metadata.MD{keyVersion: {major}, keyMinor: {minor}})
		if err != nil {
			return
		}
		if again, err := versionOf(versionPairs(v)); err != nil || again != v {
			t.Errorf("%q and %q are %v, then %v, %v", major, minor, v, again, err)
		}
	})
}
