package consensus

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
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

// visitor opens connections to r as a server of node x that speaks v would.
func (g *group) visitor(r *replica, v version.Version, log *logged) *link.Layer {
	c := r.link()
	c.Server, c.Listener, c.Version = "x/1", g.net.listen("x"), v
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	c.Dial = func(ctx context.Context, to string) (net.Conn, error) { return g.net.dial(ctx, "x", to) }
	return link.New(c)
}

func TestAServerOfAnotherMajorIsRefusedByNameOnBothSides(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var own, theirs logged
		g := newGroup(t, "a")
		g.log = slog.New(slog.NewTextHandler(&own, nil))
		g.found(1)
		r := g.leader()
		s := g.visitor(r, version.Version{Major: 2, Minor: 1}, &theirs)
		defer s.Wait()
		defer s.Close()
		for _, purpose := range []consensuspb.Hello_Purpose{consensuspb.Hello_RAFT, consensuspb.Hello_LEAVE, consensuspb.Hello_BACKUP} {
			_, err := s.Open(t.Context(), r.config.Server, purpose)
			m := new(version.Mismatch)
			if !errors.Is(err, link.ErrRefused) || !errors.As(err, &m) {
				t.Fatalf("%v: %v", purpose, err)
			}
			if *m != (version.Mismatch{Node: "x", Own: version.Version{Major: 2, Minor: 1}, Peer: "a", Theirs: version.Wire(), What: "the core"}) {
				t.Errorf("%v: %v", purpose, m)
			}
		}
		if got := own.String(); strings.Count(got, "another major version") != 1 || !strings.Contains(got, "peer=x version=2.1") {
			t.Errorf("logged:\n%s", got)
		}
		if got := theirs.String(); strings.Count(got, "another major version") != 1 || !strings.Contains(got, "peer=a version="+version.Wire().String()) {
			t.Errorf("the other has logged:\n%s", got)
		}
		if err := r.ReadBarrier(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAServerOfAHigherMinorIsAnsweredInTheLower(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		r := g.leader()
		var log logged
		later := version.Version{Major: 1, Minor: 5}
		s := g.visitor(r, later, &log)
		c, err := s.Open(t.Context(), r.config.Server, consensuspb.Hello_RAFT)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		_ = s.Close()
		s.Wait()
		for v, want := range map[*consensuspb.Version]version.Version{
			nil: version.One(), link.EncodeVersion(version.One()): version.One(), link.EncodeVersion(later): version.Wire(),
		} {
			conn, err := g.net.dial(t.Context(), "x", "a")
			if err != nil {
				t.Fatal(err)
			}
			welcome, err := link.Greet(t.Context(), conn, &consensuspb.Hello{Core: r.config.Core, From: "x/1", To: r.config.Server, Version: v})
			if err != nil || link.DecodeVersion(welcome.Version) != want {
				t.Errorf("a hello of version %v: %v, %v", v, welcome, err)
			}
			_ = conn.Close()
		}
	})
}

func TestTheFolderOfAnotherMajorIsRefusedUntouched(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, identityName)
	id := identity{Node: "a", Core: "c", Founded: true}
	for _, c := range []struct {
		file string
		want error
	}{
		{`{"node":"a","core":"c","founded":true}`, nil}, // of before there was a version
		{`{"version":"1.0","node":"a","core":"c","founded":true}`, nil},
		{`{"version":"1.7","node":"a","core":"c","founded":true,"new":[1]}`, nil},
		{`{"version":"2.0","node":{},"core":["c"]}`, persistence.ErrVersion},
	} {
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readIdentity(dir)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || got != id) {
			t.Errorf("%s: %+v, %v", c.file, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), dir+" has version 2.0") {
			t.Error(err)
		}
	}
	world := newWorld(t, 1)
	config := Config{
		Node: "a", Dir: dir, Listener: newMemListener("a"), Timing: world.timing, Logger: world.log,
		Members: func() []Member { return nil }, MembersChanged: world.change, Announce: func(Announcement) {},
		Dial: func(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed }, Peer: peerOf,
		Call: func(context.Context, string, []byte) ([]byte, error) { return nil, net.ErrClosed },
	}
	before, _ := os.ReadFile(path)
	if _, err := New(config); !errors.Is(err, persistence.ErrVersion) {
		t.Errorf("New: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%s, %v", after, err)
	}
	if err := id.write(dir); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), `{"version":"1.0",`) {
		t.Errorf("%s, %v", data, err)
	}
}

func FuzzDecodeIdentity(f *testing.F) {
	f.Add([]byte(`{"version":"1.0","node":"a","core":"c"}`))
	f.Add([]byte(`{"version":"2.0"}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := decodeIdentity(data, "dir")
		if err != nil {
			return
		}
		dir := t.TempDir()
		if id == (identity{}) {
			return // it is not kept
		}
		if err := id.write(dir); err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(filepath.Join(dir, identityName))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeIdentity(written, dir); err != nil || again != id {
			t.Errorf("%+v became %+v, %v", id, again, err)
		}
	})
}
