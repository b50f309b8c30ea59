package consensus

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// world is a network of nodes in one process, with faults by seed.
type world struct {
	t      testing.TB
	timing Timing
	// detect is how long a broken link goes unnoticed, by connections and by gossip.
	detect time.Duration
	// slowest bounds the delay of a request or answer.
	slowest time.Duration
	log     *slog.Logger

	mu      sync.Mutex
	random  *rand.Rand
	nodes   map[string]*node
	cuts    map[[2]string]time.Time // from, to: when that direction was cut
	changed chan struct{}           // closed when links or nodes change
}

// node is one with a Core.
type node struct {
	*Core
	world    *world
	name     string
	started  time.Time
	says     Announcement
	listener *memListener
	alive    bool
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{
		t: t, timing: LAN(), detect: 5 * time.Second, slowest: 2 * time.Millisecond,
		log:    slog.New(slog.DiscardHandler),
		random: rand.New(rand.NewPCG(seed, seed)), nodes: map[string]*node{}, cuts: map[[2]string]time.Time{},
		changed: make(chan struct{}),
	}
}

// join starts a node. changes apply to its configuration.
func (w *world) join(name string, changes ...func(*Config)) *node {
	w.t.Helper()
	n := &node{world: w, name: name, started: time.Now(), alive: true, listener: newMemListener(name)}
	config := Config{
		Node: name, Timing: w.timing, Settle: time.Second, Logger: w.log.With("node", name),
		Members: func() []Member { return w.members(n) }, MembersChanged: w.change,
		Announce: func(a Announcement) {
			w.mu.Lock()
			defer w.mu.Unlock()
			n.says = a
			w.notify()
		},
		Dial:     func(ctx context.Context, to string) (net.Conn, error) { return w.dial(ctx, n, to) },
		Listener: n.listener, Peer: peerOf,
		Call: func(ctx context.Context, to string, q []byte) ([]byte, error) {
			return w.call(ctx, n, to, q)
		},
	}
	for _, change := range changes {
		change(&config)
	}
	w.mu.Lock()
	w.nodes[name] = n
	w.notify()
	w.mu.Unlock()
	core, err := New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	n.Core = core
	w.mu.Unlock()
	w.t.Cleanup(n.crash)
	return n
}

// crash ends a node without any farewell.
func (n *node) crash() {
	n.world.mu.Lock()
	n.alive = false
	n.world.notify()
	n.world.mu.Unlock()
	if err := n.Close(); err != nil {
		n.world.t.Errorf("Close of %s: %v", n.name, err)
	}
}

// leave ends a node gracefully.
func (n *node) leave(ctx context.Context) {
	n.world.t.Helper()
	if err := n.Leave(ctx, false); err != nil {
		n.world.t.Errorf("Leave of %s: %v", n.name, err)
	}
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.alive = false
	n.world.notify()
}

// intN returns a number below n, by the seed.
func (w *world) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

func (w *world) change() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func (w *world) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// cut breaks the way from one node to another, in that direction.
func (w *world) cut(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cuts[[2]string{from, to}].IsZero() {
		w.cuts[[2]string{from, to}] = time.Now()
		time.AfterFunc(w.detect, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.notify()
		})
	}
}

// split cuts all ways between a side and the rest.
func (w *world) split(side ...string) {
	for _, a := range side {
		for _, b := range w.names() {
			if !slices.Contains(side, b) {
				w.cut(a, b)
				w.cut(b, a)
			}
		}
	}
}

// cutFrom cuts the ways from a node to all others, cutTo those to it.
func (w *world) cutFrom(name string) {
	for _, other := range w.names() {
		if other != name {
			w.cut(name, other)
		}
	}
}

func (w *world) cutTo(name string) {
	for _, other := range w.names() {
		if other != name {
			w.cut(other, name)
		}
	}
}

// heal repairs everything.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cuts)
	w.notify()
}

func (w *world) names() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// noticed reports whether a link is broken, and has been for long enough to be noticed.
func (w *world) noticed(from, to string) (broken, noticed bool) {
	at := w.cuts[[2]string{from, to}]
	return !at.IsZero(), !at.IsZero() && time.Since(at) >= w.detect
}

func (w *world) members(of *node) (members []Member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.nodes {
		_, there := w.noticed(of.name, n.name)
		_, back := w.noticed(n.name, of.name)
		if n.alive && !there && !back {
			members = append(members, Member{Name: n.name, Started: n.started, Incarnation: uint64(n.started.UnixNano()), Core: n.says})
		}
	}
	return members
}

// pass waits until a message from one node has reached the other.
func (w *world) pass(ctx context.Context, from, to string) error {
	timer := time.NewTimer(time.Duration(w.intN(int(w.slowest) + 1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		w.mu.Lock()
		changed := w.changed
		broken, noticed := w.noticed(from, to)
		gone := w.nodes[to] == nil || !w.nodes[to].alive || w.nodes[to].Core == nil
		w.mu.Unlock()
		switch {
		case gone:
			return actor.Errorf(actor.Unavailable, "node %s is gone", to)
		case noticed:
			return actor.Errorf(actor.Unavailable, "node %s does not answer", to)
		case !broken:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// call does what Config.Call should.
func (w *world) call(ctx context.Context, from *node, to string, q []byte) ([]byte, error) {
	if err := w.pass(ctx, from.name, to); err != nil {
		e := *actor.AsError(err)
		e.NotRun = true
		return nil, &e
	}
	w.mu.Lock()
	target := w.nodes[to]
	w.mu.Unlock()
	type result struct {
		reply []byte
		err   error
	}
	done := make(chan result, 1)
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		reply, err := target.Handle(handling, from.name, q)
		done <- result{reply, err}
	}()
	select {
	case r := <-done:
		if err := w.pass(ctx, to, from.name); err != nil {
			return nil, err
		}
		return r.reply, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dial does what Config.Dial should.
func (w *world) dial(ctx context.Context, from *node, to string) (net.Conn, error) {
	for _, way := range [][2]string{{from.name, to}, {to, from.name}} {
		if err := w.pass(ctx, way[0], way[1]); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	target := w.nodes[to]
	w.mu.Unlock()
	near, nearEnd := net.Pipe()
	far, farEnd := net.Pipe()
	go w.carry(from, target, nearEnd, farEnd)
	go w.carry(target, from, farEnd, nearEnd)
	select {
	case target.listener.conns <- namedConn{far, from.name}:
		return near, nil
	case <-target.listener.closed:
	case <-ctx.Done():
	}
	_ = near.Close()
	_ = far.Close()
	return nil, fmt.Errorf("%s does not accept a connection", to)
}

// carry moves what in gives to out, while there is a way.
func (w *world) carry(from, to *node, in, out net.Conn) {
	defer func() {
		_ = in.Close()
		_ = out.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return
		}
		for {
			w.mu.Lock()
			changed := w.changed
			broken, noticed := w.noticed(from.name, to.name)
			gone := !from.alive || !to.alive
			w.mu.Unlock()
			if gone || noticed {
				return
			}
			if !broken {
				break
			}
			<-changed
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return
		}
	}
}

type memListener struct {
	name   string
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newMemListener(name string) *memListener {
	return &memListener{name: name, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, io.ErrClosedPipe
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr(l.name) }
