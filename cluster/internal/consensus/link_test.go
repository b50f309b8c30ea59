package consensus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

func TestConnectionOfAnotherCoreOrServerIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		r := g.leader()
		stranger := func(core, from string) *link.Layer {
			c := r.link()
			c.Core, c.Server, c.Listener = core, from, g.net.listen("stranger")
			c.Dial = func(ctx context.Context, to string) (net.Conn, error) { return g.net.dial(ctx, "x", to) }
			return link.New(c)
		}
		for _, c := range []struct{ core, from, to, says string }{
			{"other", "x/1", r.config.Server, "core core, not of other"},
			{"core", "x/1", "a/0000000f", "not a/0000000f"},
			{"core", "x/", r.config.Server, "not the ID of another server"},
			{"core", "nobody", r.config.Server, "a connection of node x says that it is one of \"nobody\""},
			{"core", "b/1", r.config.Server, "a connection of node x says that it is one of \"b/1\""},
			{"core", r.config.Server, r.config.Server, "a connection of node x says that it is one of"},
		} {
			s := stranger(c.core, c.from)
			_, err := s.Open(t.Context(), c.to, consensuspb.Hello_RAFT)
			if !errors.Is(err, link.ErrRefused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: %v", c, err)
			}
			_ = s.Close()
			s.Wait()
		}
		if err := r.ReadBarrier(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestHostileConnectionDisturbsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		r := g.leader()
		var written sync.WaitGroup
		defer written.Wait()
		var hello bytes.Buffer
		if err := link.WriteHandshake(&hello, &consensuspb.Hello{Core: "core", From: "x/1", To: r.config.Server}); err != nil {
			t.Fatal(err)
		}
		for _, bytes := range [][]byte{
			{}, {0}, {0xff, 0xff}, {0, 3, 0xff, 0xff, 0xff}, []byte(strings.Repeat("GET / HTTP/1.1\r\n", 100)),
			slices.Concat(hello.Bytes(), []byte{99}),                                    // no such request
			slices.Concat(hello.Bytes(), []byte{0, 0xc1}),                               // no MessagePack
			slices.Concat(hello.Bytes(), []byte{2, 0x81, 0xa4, 'S', 'i', 'z', 'e', 1}),  // a snapshot of nothing
			slices.Concat(hello.Bytes(), []byte{0, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0}), // a map of 4 billion
		} {
			conn, err := g.net.dial(t.Context(), "x", "a")
			if err != nil {
				t.Fatal(err)
			}
			written.Go(func() {
				_, _ = conn.Write(bytes)
				<-time.After(time.Second)
				_ = conn.Close()
			})
			_, _ = io.Copy(io.Discard, conn)
		}
		if err := r.ReadBarrier(t.Context()); err != nil {
			t.Error(err)
		}
		g.fill(0, 1)
	})
}

func TestSilentConnectionIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		conn, err := g.net.dial(t.Context(), "x", "a")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("there is an answer to nothing")
		}
		if d := time.Since(start); d != link.HandshakeTimeout {
			t.Errorf("it was closed after %v", d)
		}
	})
}

func TestDialEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newPipeNetwork(t)
		silent := n.listen("b")
		c := link.Config{Core: "core", Server: "a/1", Listener: n.listen("a"), Dial: func(ctx context.Context, to string) (net.Conn, error) { return n.dial(ctx, "a", to) }}
		s := link.New(c)
		go func() {
			for {
				if _, err := silent.Accept(); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		if _, err := s.Dial("b/1", time.Second); err == nil || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		_ = s.Close()
		if _, err := s.Dial("b/1", time.Second); err == nil {
			t.Error("a connection was made after Close")
		}
		s.Wait()
		_ = silent.Close()
	})
}
