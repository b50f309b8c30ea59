package gossip

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	watched   = 2 // members that each member asks at every interval, and so watchers of each
	witnesses = 4 // members whose reports about one member count, its watchers among them
	quorum    = 2 // reports that give a member up, if there are so many who could report

	// doubtful is how many attempts to connect must be in vain before others are asked to
	// try as well, and before their word is taken.
	doubtful = 2

	// repeats is how often a report is sent again, once an interval: a packet may be
	// lost, and members that join learn of the dead from memberlist until it has noticed.
	repeats = 16

	// rarely is how many intervals pass between pings to a member whose address
	// another one has.
	rarely = 8

	// lastWord is when memberlist, which has long decided then, is believed about a
	// member that was given up.
	lastWord = time.Minute
)

// detector finds crashed members sooner than memberlist, without giving up a live
// one that is slow. memberlist asks processes, and has to be patient: one that
// gets no CPU answers late. The detector also asks their operating systems, which
// answer at once as long as they run: they take a connection for a process that is
// paused or starved, and refuse it for one that has ended.
//
// The members form a ring, in the order of a hash of their names. Each pings the
// next two at every interval. When one does not answer soon, it tries to connect, and
// after the first attempts in vain asks all to try, too. The nearest on the ring report
// to all when the connection is refused, or no attempt is answered during a window. A member gives another up when two have reported
// that it cannot be reached, and it cannot reach it itself: a broken link between
// two members costs neither of them its membership. One whose system still takes
// connections is left to memberlist.
//
// A member that was given up is pinged on, and is back when it answers.
type detector struct {
	detection
	view  *view
	log   *slog.Logger
	ping  func(Member) error                              // asks a process, as long as memberlist's ProbeTimeout
	reach func(ctx context.Context, address string) error // connects to a system
	tell  func(to Member, message []byte)                 // sends a packet
	alive func(Member) bool                               // whether memberlist takes it for alive

	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	busy      map[string]bool // names of members that are being checked
	inquiries map[string]*inquiry
}

// detection is the timing of a detector.
type detection struct {
	interval time.Duration // between two pings to one member
	patience time.Duration // for the answer, before connecting is tried as well
	attempts int           // to connect, before a member counts as unreachable
	pause    time.Duration // between two attempts; all of them are waited for till the end
}

// window is how long a system has to answer.
func (d detection) window() time.Duration { return time.Duration(d.attempts) * d.pause }

func (d *detector) start() {
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.running.Go(d.run)
}

// close returns when nothing runs any more, but for pings that wait for an answer.
func (d *detector) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.running.Wait()
}

func (d *detector) run() {
	ticker := time.NewTicker(d.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-d.ctx.Done():
			return
		}
		for _, m := range d.view.next(watched) {
			d.check(m, d.patrol)
		}
		for _, a := range d.view.absentees() {
			d.check(a.member, func(Member) { d.await(a) })
		}
		d.forget()
	}
}

// check runs a check of a member beside others, unless one of it runs.
func (d *detector) check(m Member, how func(Member)) {
	name := m.name()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.busy[name] {
		return
	}
	d.busy[name] = true
	d.running.Go(func() {
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.busy, name)
		}()
		how(m)
	})
}

// patrol is the check of a member that nothing is known against.
func (d *detector) patrol(m Member) {
	p := d.send(m)
	impatient := time.NewTimer(d.patience)
	defer impatient.Stop()
	select {
	case <-p.done:
	case <-impatient.C:
	case <-d.ctx.Done():
		return
	}
	if p.answered() {
		d.acquit(m)
		return
	}
	d.examine(m, p, func() { d.report(m, false) })
}

// probe is a ping under way.
type probe struct {
	done chan struct{} // closed when it was answered, or will not be
	err  error         // once done
}

// send pings a member. The goroutine ends by itself: memberlist cannot be told.
func (d *detector) send(m Member) *probe {
	p := &probe{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = d.ping(m)
	}()
	return p
}

// answered reports whether there is an answer by now.
func (p *probe) answered() bool {
	select {
	case <-p.done:
		return p.err == nil
	default:
		return false
	}
}

// examine tries to connect to a member, and reports if it cannot be reached, unless it
// answers a ping meanwhile.
func (d *detector) examine(m Member, p *probe, doubt func()) {
	d.inquire(m)
	found := d.connect(m, doubt)
	if found == unreachable && p != nil {
		select {
		case <-p.done:
		case <-d.ctx.Done():
			return
		}
		if p.answered() {
			found = reached
		}
	}
	switch found {
	case reached:
		d.acquit(m)
	case unreachable:
		d.log.Debug("gossip: a member cannot be reached", "node", m.Node, "address", m.Address)
		d.testify(m)
	}
}

// await waits for a member that was given up to come back, and tells those who may not
// have heard that it went, such as members that join now.
func (d *detector) await(a *absentee) {
	if a.repeats > 0 {
		a.repeats--
		d.report(a.member, true)
	}
	a.rounds++
	back := false
	// Another process at its address would complain of each ping.
	if !d.view.replaced(a.member) || a.rounds%rarely == 0 {
		p := d.send(a.member)
		select {
		case <-p.done:
		case <-d.ctx.Done():
			return
		}
		back = p.answered()
	}
	if back || time.Since(a.since) > lastWord && d.alive(a.member) {
		d.log.Debug("gossip: a member that was given up is back", "node", a.member.Node, "address", a.member.Address)
		d.view.returned(a.member)
	}
}
