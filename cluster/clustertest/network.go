package clustertest

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Network is a network in memory for tests: machines with addresses of their
// own, streams and packets between them, and faults on request.
//
// It behaves as TCP and UDP over IP do. A stream is reliable, ordered and
// bounded (256 KiB in each direction, then writers wait); a cut link stalls it
// and healing the link lets it go on. A packet may be late, overtaken or lost,
// but never damaged.
//
// A Network runs no goroutines and uses only channels and package time to wait,
// so that it works in real time and, in virtual time, in a [testing/synctest]
// bubble; one made inside a bubble must stay inside it. All methods may be
// called concurrently.
type Network struct {
	seed uint64

	mu       sync.Mutex // guards what follows, and all that is reachable from it
	machines map[string]*machine
	byIP     map[netip.Addr]*machine
	dice     map[route]*rand.Rand
	cuts     map[route]bool
	minDelay time.Duration
	maxDelay time.Duration
	loss     float64
	closed   bool
	changed  signal // what a dialer found may no longer hold
}

// machine is an address of the network and the process that runs there now.
type machine struct {
	name     string
	ip       netip.Addr
	group    int // which side of a partition it is on
	nextPort uint16
	process  *Host
}

// route is one direction between two machines.
type route struct{ from, to *machine }

// firstEphemeral is where the ports that nobody asked for by number begin
// (RFC 6335, section 6).
const firstEphemeral = 49152

// NewNetwork returns a network without faults. Delays and losses are drawn from
// the seed, separately for each direction between two hosts: the same sends, in
// the same order, meet the same fate. Close it when the test ends.
func NewNetwork(seed uint64) *Network {
	return &Network{
		seed:     seed,
		machines: make(map[string]*machine),
		byIP:     make(map[netip.Addr]*machine),
		dice:     make(map[route]*rand.Rand),
		cuts:     make(map[route]bool),
	}
}

// Host returns the process that runs on the machine with this name, and starts
// one if there is none: at first use, and after [Host.Crash]. A machine keeps its
// address, 10.0.0.1 for the first one named, for the life of the Network.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.machine(name)
	if m.process == nil {
		m.process = &Host{
			net:       n,
			machine:   m,
			dead:      n.closed,
			listeners: make(map[uint16]*listener),
			packets:   make(map[uint16]*packetConn),
			conns:     make(map[*conn]struct{}),
		}
	}
	return m.process
}

// Close ends every process, so that all calls in progress return, and all later
// ones fail with net.ErrClosed. It may be called more than once.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, m := range n.machines {
		if m.process != nil {
			m.process.kill()
		}
	}
}

func (n *Network) machine(name string) *machine {
	m := n.machines[name]
	if m == nil {
		id := len(n.machines) + 1
		m = &machine{
			name:     name,
			ip:       netip.AddrFrom4([4]byte{10, byte(id >> 16), byte(id >> 8), byte(id)}),
			nextPort: firstEphemeral,
		}
		n.machines[name] = m
		n.byIP[m.ip] = m
	}
	return m
}

// blocked reports whether nothing gets from one machine to the other.
func (n *Network) blocked(from, to *machine) bool {
	return from != to && (from.group != to.group || n.cuts[route{from, to}])
}

// latency draws the time that one packet takes.
func (n *Network) latency(from, to *machine) time.Duration {
	if from == to || n.maxDelay == 0 {
		return 0
	}
	return n.minDelay + time.Duration(n.roll(from, to).Int64N(int64(n.maxDelay-n.minDelay)+1))
}

// lost draws whether one packet is lost.
func (n *Network) lost(from, to *machine) bool {
	return from != to && n.loss > 0 && n.roll(from, to).Float64() < n.loss
}

// Retransmission of a lost segment, as in RFC 6298 with the usual minimum of
// Linux. Retries are bounded, so that streams survive even a loss of 100 %.
const (
	firstRetransmit = 200 * time.Millisecond
	lastRetransmit  = 3200 * time.Millisecond
)

// streamLatency draws the time that one segment of a stream takes, lost ones
// being sent again.
func (n *Network) streamLatency(from, to *machine) time.Duration {
	d := n.latency(from, to)
	for timeout := firstRetransmit; timeout <= lastRetransmit && n.lost(from, to); timeout *= 2 {
		d += timeout
	}
	return d
}

func (n *Network) roll(from, to *machine) *rand.Rand {
	r := route{from, to}
	dice := n.dice[r]
	if dice == nil {
		a, b := from.ip.As4(), to.ip.As4()
		var pair uint64
		for _, octet := range append(a[:], b[:]...) {
			pair = pair<<8 | uint64(octet)
		}
		dice = rand.New(rand.NewPCG(n.seed, pair))
		n.dice[r] = dice
	}
	return dice
}

// signal wakes goroutines that wait for a change. The Network's mutex guards it.
type signal struct{ ch chan struct{} }

func (s *signal) broadcast() {
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// wait gives up the mutex until s is broadcast, done is closed, or the earliest
// of the given times has come; zero times do not count.
func (n *Network) wait(s *signal, done <-chan struct{}, times ...time.Time) {
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	changed := s.ch
	var next time.Time
	for _, t := range times {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	var due <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		due = timer.C
	}
	n.mu.Unlock()
	defer n.mu.Lock()
	select {
	case <-changed:
	case <-due:
	case <-done:
	}
}

// expired reports whether a deadline, zero meaning none, has passed.
func expired(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}
