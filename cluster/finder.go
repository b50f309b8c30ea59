package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/security"
)

// finder runs the discoveries for as long as the node lives: peers may start
// later, and a cluster that was split must find itself again.
type finder struct {
	node   *Node
	ways   []Discovery
	cancel context.CancelFunc // nil before start
	wg     sync.WaitGroup

	mu      sync.Mutex
	refusal error           // the first by a seed
	warned  map[string]bool // what was complained about
}

// The pauses between two looks: short while the node may have just started
// beside others, longer later, longest once it has company.
const (
	eagerPause  = 250 * time.Millisecond
	eagerLooks  = 20
	lonelyPause = time.Second
	calmPause   = 5 * time.Second
)

// How long a discovery is given to announce and to find, and the addresses it found to
// answer; when Join says that it waits for one, and when it does no longer.
const (
	announceTimeout = 5 * time.Second
	findTimeout     = 5 * time.Second
	answerTimeout   = 5 * time.Second
	slowStart       = 2 * time.Second
	contactsTimeout = 2 * time.Second // for the address to advertise, if there is a choice
	startTimeout    = findTimeout + answerTimeout + time.Second
)

// loneliness is how long a node may be alone before it says who does not answer.
const loneliness = 5 * time.Second

const silent = " silent" // what a way is complained about for then

var errSilent = fmt.Errorf("no answer within %v", answerTimeout)

func newFinder(n *Node, ways []Discovery) *finder {
	f := &finder{node: n, warned: make(map[string]bool)}
	for _, w := range ways {
		f.ways = append(f.ways, &inTurn{Discovery: w})
	}
	return f
}

// inTurn is a Discovery whose Find is called once at a time.
type inTurn struct {
	Discovery
	mu sync.Mutex
}

// Find implements [Discovery].
func (d *inTurn) Find(ctx context.Context, cluster string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Discovery.Find(ctx, cluster)
}

// contacts returns who else may be where, as far as the ways find that at once, before the
// node is announced. What is wrong with them is told when they are asked again.
func (f *finder) contacts(ctx context.Context) []contact {
	ctx, cancel := context.WithTimeout(ctx, contactsTimeout)
	defer cancel()
	var mu sync.Mutex
	var all []contact
	asked := f.each(&f.wg, func(w Discovery, done func()) {
		defer done()
		told := true // what they find was announced by those who are there
		switch w.(*inTurn).Discovery.(type) {
		case *discovery.LocalDiscovery:
			return // all are on this host
		case *discovery.StaticDiscovery, *discovery.DNSDiscovery:
			told = false
		}
		addresses, _ := f.find(ctx, w.Find)
		mu.Lock()
		defer mu.Unlock()
		for _, a := range addresses {
			all = appendContact(all, a, told)
		}
	})
	for _, answered := range asked {
		select {
		case <-answered:
		case <-ctx.Done():
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(all)
}

// start begins to look, and returns when each way has had its first look, does not
// return, or ctx has ended.
func (f *finder) start(ctx context.Context, address string) error {
	life, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	// Announced before anybody looks: of two that start at once, one sees the other.
	announced := f.each(&f.wg, func(w Discovery, done func()) {
		defer done()
		if err := f.announce(ctx, w, address); err != nil {
			f.complain(w.Name()+" announce", "this node cannot be found", "way", w.Name(), "error", err)
		}
	})
	if err := f.await(ctx, "announce", announced); err != nil {
		return err
	}
	looked := f.each(&f.wg, func(w Discovery, done func()) { f.run(life, w.Find, w.Name(), done) })
	f.wg.Go(func() { f.run(life, f.lost, "lost", func() {}) })
	f.wg.Go(func() { f.node.watchAddress(life) })
	return f.await(ctx, "find", looked)
}

func (f *finder) announce(ctx context.Context, w Discovery, address string) error {
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	return contain.Call("Announce", func() error { return w.Announce(ctx, f.node.cluster, f.node.name, address) })
}

// each calls do for all ways at once. The channels, in the order of the ways, close when
// do calls done.
func (f *finder) each(goroutines *sync.WaitGroup, do func(w Discovery, done func())) []<-chan struct{} {
	var all []<-chan struct{}
	for _, w := range f.ways {
		ended := make(chan struct{})
		all = append(all, ended)
		goroutines.Go(func() { do(w, sync.OnceFunc(func() { close(ended) })) })
	}
	return all
}

// await waits for what each returned. A way that takes too long is left alone; the error
// is that of ctx.
func (f *finder) await(ctx context.Context, what string, all []<-chan struct{}) error {
	slow, limit := time.NewTimer(slowStart), time.NewTimer(startTimeout)
	defer slow.Stop()
	defer limit.Stop()
	for i := 0; i < len(all); {
		select {
		case <-all[i]:
			i++
		case <-slow.C:
			f.node.log.Info("waiting for a discovery", "way", f.ways[i].Name(), "to", what)
		case <-limit.C:
			f.complain("start "+what, "went on without a discovery that does not return", "way", f.ways[i].Name(), "to", what)
			return nil
		case <-ctx.Done():
			return fmt.Errorf("the discovery %q has not returned from what it does first, to %s: %w", f.ways[i].Name(), what, context.Cause(ctx))
		}
	}
	return nil
}

// stop ends what start began. It returns when ctx ends, even if a discovery does not.
func (f *finder) stop(ctx context.Context) {
	if f.cancel != nil {
		f.cancel()
	}
	wait(ctx, &f.wg)
	var withdrawing sync.WaitGroup
	f.each(&withdrawing, func(w Discovery, _ func()) {
		if err := contain.Call("Withdraw", func() error { return w.Withdraw(ctx) }); err != nil {
			f.node.log.Debug("discovery was not withdrawn", "way", w.Name(), "error", err)
		}
	})
	wait(ctx, &withdrawing)
}

// wait waits for goroutines, until ctx ends.
func wait(ctx context.Context, goroutines *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		goroutines.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// lost finds those who were members and stopped answering.
func (f *finder) lost(context.Context, string) ([]string, error) {
	return f.node.gossip.Lost(), nil
}

func (f *finder) run(ctx context.Context, find func(context.Context, string) ([]string, error), way string, looked func()) {
	defer looked()
	for n := 1; ; n++ {
		f.look(ctx, find, way)
		looked()
		pause := calmPause
		if f.alone() {
			pause = lonelyPause
			if n < eagerLooks {
				pause = eagerPause
			}
		} else {
			f.forgive(way)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

func (f *finder) look(life context.Context, find func(context.Context, string) ([]string, error), way string) {
	addresses, err := f.find(life, find)
	if err != nil && life.Err() == nil {
		f.complain(way+" find", "discovery failed", "way", way, "error", err)
	}
	known := f.node.directory.addresses()
	var strangers []string
	for _, a := range addresses {
		if !known[a] {
			strangers = append(strangers, a)
		}
	}
	if len(addresses) == 0 && err == nil && way == "dns" && f.lonely() {
		f.say(slog.LevelInfo, way+silent, "this node is alone: DNS lists no other one; if there are others, see that the name is spelled right and lists them", "way", way)
	}
	if len(strangers) == 0 {
		return
	}
	// If they are too many for one look, others have their turn in the next.
	rand.Shuffle(len(strangers), func(i, j int) { strangers[i], strangers[j] = strangers[j], strangers[i] })
	ctx, cancel := context.WithTimeoutCause(life, answerTimeout, errSilent)
	defer cancel()
	if _, err := f.node.gossip.Join(ctx, strangers); err != nil && life.Err() == nil {
		f.failed(way, strangers, err)
	}
}

// find returns what a discovery finds, also if it takes all the time that it has.
func (f *finder) find(ctx context.Context, find func(context.Context, string) ([]string, error)) (addresses []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	err = contain.Call("Find", func() (err error) {
		addresses, err = find(ctx, f.node.cluster)
		return err
	})
	return addresses, err
}

func (f *finder) failed(way string, contacts []string, err error) {
	switch {
	case errors.Is(err, gossip.ErrVersion): // gossip has logged it
	case isForeign(err):
		f.complain(way+" foreign", "found a node that does not belong to this cluster: another secret, another cluster, or an address that leads elsewhere",
			"way", way, "cluster", f.node.cluster, "error", err)
	default:
		if way != "lost" && f.lonely() {
			f.complain(way+silent, "this node is alone: none of its contacts answers; see that they run and can be reached from here",
				"way", way, "contacts", len(contacts), "error", shortened(err))
			return
		}
		f.node.log.Debug("found nobody there", "way", way, "error", err)
		return
	}
	if way == "static" {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.refusal == nil {
			f.refusal = err
		}
	}
}

// shortened returns an error about many contacts in one line, with all of them if they
// are few.
func shortened(err error) string {
	const shown = 10
	lines := slices.Sorted(strings.SplitSeq(err.Error(), "\n"))
	text := strings.Join(lines[:min(len(lines), shown)], "; ")
	if more := len(lines) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// alone reports whether no other node is known.
func (f *finder) alone() bool { return len(f.node.directory.view().nodes) == 0 }

// lonely reports whether no other node has been known for longer than a start takes.
func (f *finder) lonely() bool { return f.alone() && time.Since(f.node.started) >= loneliness }

// isForeign reports whether the peer, or we, refused the other's certificate or key.
func isForeign(err error) bool {
	return errors.Is(err, gossip.ErrForeign) || errors.Is(err, security.ErrUntrusted) ||
		errors.Is(err, security.ErrWrongCluster) || security.IsRejection(err)
}

// refused returns why a seed refused this node, or was refused.
func (f *finder) refused() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refusal
}

// forgive has the silence of contacts complained about again.
func (f *finder) forgive(way string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.warned, way+silent)
}

// complain warns once about each thing.
func (f *finder) complain(key, message string, attrs ...any) {
	f.say(slog.LevelWarn, key, message, attrs...)
}

// say logs at level the first time, and at Debug when it is the same again.
func (f *finder) say(level slog.Level, key, message string, attrs ...any) {
	f.mu.Lock()
	again := f.warned[key]
	f.warned[key] = true
	f.mu.Unlock()
	if again {
		level = slog.LevelDebug
	}
	f.node.log.Log(context.Background(), level, message, attrs...)
}
