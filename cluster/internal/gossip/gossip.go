package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// ErrClosed is returned by a [Gossip] that is closed or has said goodbye.
var ErrClosed = errors.New("gossip: closed")

// maxLeave bounds the time that spreading a farewell takes.
const (
	maxLeave     = 5 * time.Second
	farewellPoll = 20 * time.Millisecond
)

// Gossip is one member of a cluster. All methods may be called concurrently.
type Gossip struct {
	log       *slog.Logger
	list      *memberlist.Memberlist
	transport *transport
	delegate  *delegate
	detector  *detector // nil without Config.Reach
	view      *view
	events    *eventQueue
	out       *disseminator
	joins     atomic.Uint64
	patience  time.Duration // with an address that is silent, before the next one has its turn

	mu      sync.Mutex
	closed  bool
	closing chan struct{} // closed when closed is set
	leaving chan struct{} // not nil once Leave was called; closed at its end
	leave   error         // of Leave, once leaving is closed

	close func() error
}

// Stats counts what a [Gossip] has met since it was opened.
type Stats struct {
	Packets           uint64 // packets received
	PacketsRejected   uint64 // of these, not of this cluster: wrong name or key, damaged, too large
	Streams           uint64 // streams accepted
	StreamsRefused    uint64 // streams closed at once, since too many were open
	MessagesMalformed uint64 // messages of members that could not be understood
}

// Open starts a member: a cluster of one until it or another member calls
// [Gossip.Join]. The error wraps [ErrInvalidConfig] if the configuration is
// wrong.
func Open(cfg Config) (*Gossip, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Gossip{log: cfg.Logger, patience: cfg.Preset.detection().patience, closing: make(chan struct{})}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if g.transport, err = newTransport(&cfg, g.log); err != nil {
		return nil, err
	}
	self := Member{
		Node:        cfg.Node,
		Incarnation: cfg.Incarnation,
		Address:     g.transport.advertise.String(),
		Started:     time.Unix(0, cfg.Started.UnixNano()),
		Minor:       cfg.wire().Minor,
	}
	handle := cfg.Events
	if handle == nil {
		handle = func(Event) {}
	}
	mc := cfg.Preset.timing()
	g.events = newEventQueue(handle)
	g.out = newDisseminator(mc.RetransmitMult, g.deliver)
	g.view = newView(self, cfg.Preset.verdictDelay(), g.events, g.out)
	g.delegate = &delegate{node: cfg.Node, version: cfg.wire(), meta: encodeMeta(self, cfg.wire()), view: g.view, log: g.log}
	g.close = sync.OnceValue(g.shutdown)

	mc.Name = self.name()
	mc.Label = cfg.Cluster
	mc.SecretKey = bytes.Clone(cfg.Key)
	mc.Transport = g.transport
	mc.BindPort = int(cfg.Advertise.Port())
	mc.Delegate, mc.Alive, mc.Events, mc.Merge = g.delegate, g.delegate, g.delegate, g.delegate
	mc.Logger = newLogBridge(g.log)
	if g.list, err = memberlist.Create(mc); err != nil {
		g.view.close()
		g.events.close()
		return nil, errors.Join(fmt.Errorf("gossip: %w", err), g.transport.Shutdown())
	}
	if cfg.Reach != nil {
		g.detector = g.newDetector(&cfg)
		g.delegate.detector = g.detector
		g.detector.start()
	}
	g.transport.start() // not before: whatever comes in may need g.list
	return g, nil
}

func (g *Gossip) newDetector(cfg *Config) *detector {
	return &detector{
		detection: cfg.Preset.detection(),
		view:      g.view,
		log:       g.log,
		reach:     cfg.Reach,
		busy:      make(map[string]bool),
		inquiries: make(map[string]*inquiry),
		ping: func(m Member) error {
			to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(m.Address))
			_, err := g.list.Ping(m.name(), to)
			return err
		},
		tell: func(to Member, message []byte) {
			if err := g.list.SendBestEffort(to.endpoint(), message); err != nil {
				g.log.Debug("gossip: could not report a member", "to", to.Node, "error", err)
			}
		},
		alive: func(m Member) bool {
			return slices.ContainsFunc(g.list.Members(), func(n *memberlist.Node) bool { return n.Name == m.name() })
		},
	}
}

// Self returns this member.
func (g *Gossip) Self() Member { return g.view.self }

// Members returns the members that are believed to be there, this one
// included, sorted by node. The slice is the caller's.
func (g *Gossip) Members() []Member { return g.view.members() }

// Settle waits until Config.Events has handled all that this member has learnt so
// far. It returns ctx's cause if ctx ends first, and [ErrClosed] after Close.
func (g *Gossip) Settle(ctx context.Context) error {
	select {
	case <-g.events.barrier():
		return nil
	case <-g.events.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Lost returns the addresses where members that failed were last seen, the
// latest first: at most 256, for 24 hours. A member that is split off for
// longer than half a minute is found again only by a [Gossip.Join] with them.
// Nodes that are back, or left, are not among them. The slice is the caller's.
func (g *Gossip) Lost() []string { return g.view.lostAddresses() }

// SetCatalog publishes the next version of this member's catalog. It returns at
// once; the others learn of it as [CatalogChanged] soon after, or when they
// join. Each version replaces the former one, and some of them may skip
// versions. data is copied.
//
// The error wraps [ErrCatalogTooLarge] for more than [MaxCatalogLen] bytes; it
// is [ErrClosed] after Leave or Close.
func (g *Gossip) SetCatalog(data []byte) error {
	if len(data) > MaxCatalogLen {
		return fmt.Errorf("%w: it has %d bytes: keep it within %d", ErrCatalogTooLarge, len(data), MaxCatalogLen)
	}
	return g.view.setOwn(data)
}

// Stats returns the counters.
func (g *Gossip) Stats() Stats {
	return Stats{
		Packets:           g.transport.received.Load(),
		PacketsRejected:   g.transport.rejected.Load(),
		Streams:           g.transport.accepted.Load(),
		StreamsRefused:    g.transport.refused.Load(),
		MessagesMalformed: g.delegate.malformed.Load(),
	}
}

// Leave says goodbye: the others learn of it at once, as [Left], and do not wait for
// this member any more. Each is told once, however little time there is; Leave returns
// when gossip has told it around, after 5 seconds if nobody listens, or when ctx ends,
// with its cause. The farewell then goes on until [Gossip.Close], which must follow, and
// Leave may be called again to wait for it. Leave returns [ErrClosed] after Close without
// a Leave.
func (g *Gossip) Leave(ctx context.Context) error {
	g.mu.Lock()
	if g.leaving == nil {
		if g.closed {
			g.mu.Unlock()
			return ErrClosed
		}
		g.leaving = make(chan struct{})
		go g.sayFarewell()
	}
	leaving := g.leaving
	g.mu.Unlock()

	select {
	case <-leaving:
		return g.leave
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnheard, context.Cause(ctx))
	}
}

// errUnheard says what it means that a farewell was not told around.
var errUnheard = errors.New("gossip: some other nodes may not know yet that this one has left, and find out within seconds")

// sayFarewell sends one packet to each member, in case it is soon over, and
// lets gossip do the rest.
func (g *Gossip) sayFarewell() {
	defer close(g.leaving)
	bye, members := g.view.leave()
	for _, m := range members {
		if err := g.list.SendBestEffort(m.endpoint(), bye.wire); err != nil {
			g.log.Debug("gossip: could not send the farewell", "node", m.Node, "error", err)
		}
	}
	// memberlist would wait the whole time for members that are leaving, too: it
	// only queues its own farewell here, which goes out along with ours.
	_ = g.list.Leave(1)
	giveUp := time.After(maxLeave)
	poll := time.NewTicker(farewellPoll)
	defer poll.Stop()
	for g.out.queue.holds(bye.name()) && len(g.view.members()) > 1 {
		select {
		case <-poll.C:
		case <-giveUp:
			g.leave = errUnheard
			return
		case <-g.closing:
			g.leave = fmt.Errorf("%w: %w", errUnheard, ErrClosed)
			return
		}
	}
}

// deliver sends the own catalog to one member over a stream.
func (g *Gossip) deliver(name string) {
	m, own, ok := g.view.parcel(name)
	if !ok {
		return
	}
	if err := g.list.SendReliable(m.endpoint(), own.wire); err != nil {
		g.log.Debug("gossip: could not send the catalog, it will come with the next exchange of state",
			"node", m.Node, "error", err)
	}
}

// Close stops without a farewell, unless [Gossip.Leave] was called: the others
// will find that this member failed. It breaks off a farewell that is being told
// around. It is idempotent; all calls return when the first one is done.
//
// After it, no event is delivered, the streams are closed, Config.Packets is
// read no more, and the goroutines have ended. Excepted are those that wait, in
// memberlist, for the answer to a probe: they hold nothing, and end with the
// probe, which takes at most a few of its intervals.
func (g *Gossip) Close() error { return g.close() }

func (g *Gossip) shutdown() error {
	g.mu.Lock()
	g.closed = true
	close(g.closing)
	leaving := g.leaving
	g.mu.Unlock()
	if leaving != nil {
		<-leaving
	}
	g.view.close()
	if g.detector != nil {
		g.detector.close()
	}
	g.out.close()
	// This breaks deliveries and joins off. memberlist, which does the same
	// next, would keep the error to itself.
	err := g.transport.Shutdown()
	_ = g.list.Shutdown()
	g.out.wait()
	g.events.close()
	if err != nil {
		return fmt.Errorf("gossip: close: %w", err)
	}
	return nil
}

// endpoint is where memberlist reaches the member.
func (m Member) endpoint() *memberlist.Node {
	a := netip.MustParseAddrPort(m.Address)
	return &memberlist.Node{Name: m.name(), Addr: net.IP(a.Addr().AsSlice()), Port: a.Port()}
}
