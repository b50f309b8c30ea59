package consensus

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// gate is a disk that can be made to hang.
type gate struct {
	mu   sync.Mutex
	shut chan struct{}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

// hangs makes the log of the replica of n hang, until the gate is opened.
func (n *node) hangs() *gate {
	var g gate
	l := n.local().log
	l.Hang(g.pass)
	g.close()
	return &g
}

// TestALeaderWhoseDiskHangsGivesUpLeading also checks that it takes part again later.
func TestALeaderWhoseDiskHangsGivesUpLeading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		var logged lockedLog
		w.log = slog.New(slog.NewTextHandler(&logged, nil))
		dir := t.TempDir()
		var nodes []*node
		for _, name := range []string{"a", "b", "c"} {
			nodes = append(nodes, w.join(name, func(c *Config) { c.Expect, c.Dir = 3, dir+"/"+name }))
		}
		nodes[0].put("k", "1")
		<-time.After(5 * time.Second)
		stuck := w.leader()
		disk := stuck.hangs()
		start := time.Now()
		for _, n := range nodes { // the node itself uses the others
			n.put("k", "of "+n.name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("nothing was written for %v", took)
		}
		if !strings.Contains(logged.String(), "a write to the log in "+dir) || !strings.Contains(logged.String(), "gives up leading") {
			t.Errorf("it does not say why:\n%s", logged.String())
		}
		<-time.After(30 * time.Second)
		disk.open()
		<-time.After(10 * time.Second)
		if s := nodes[0].status(); s.MayLose != 1 {
			t.Errorf("when the disk is back: %+v", s)
		}
		for _, n := range nodes {
			if err := n.Ready(t.Context()); err != nil {
				t.Errorf("%s is not ready: %v", n.name, err)
			}
		}
	})
}

// TestLeaveEndsWithItsContextWhenTheDiskHangs also checks that its error says so.
func TestLeaveEndsWithItsContextWhenTheDiskHangs(t *testing.T) {
	for _, alone := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			dir := t.TempDir()
			n := w.join("a", func(c *Config) { c.Dir = dir })
			if !alone {
				w.join("b")
				w.join("c")
			}
			n.put("k", "1")
			<-time.After(10 * time.Second)
			disk := n.hangs()
			go func() { _, _ = persistence.Put(context.Background(), n, "k", []byte("2")) }()
			<-time.After(100 * time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			start := time.Now()
			err := n.Leave(ctx, false)
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Leave: %v", err)
			}
			disk.open()
			<-time.After(10 * time.Second)
		})
	}
}

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
