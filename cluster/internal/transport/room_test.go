package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/persistence/version"
)

// awaitLane waits until a lane is in a state.
func awaitLane(l *lane, is func() bool) {
	for {
		l.mu.Lock()
		ok := is()
		l.mu.Unlock()
		if ok {
			return
		}
		runtime.Gosched()
	}
}

// keeper holds all casts for its full receivers until it is told to go on.
type keeper struct {
	mu      sync.Mutex
	full    func(to string) bool
	release []func()
	bytes   int
	got     map[string]int
	totals  uint64 // of casts that were counted
}

func (k *keeper) receive(in *Inbound, e *wire.View) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.Kind != wire.Cast {
		echo(in, e)
		return
	}
	if k.got == nil {
		k.got = make(map[string]int)
	}
	k.got[string(e.To)]++
	k.totals = max(k.totals, e.Total)
	if in.Holds() && k.full(string(e.To)) {
		k.bytes += len(e.Payload)
		k.release = append(k.release, in.Hold(string(e.To), e.UID, len(e.Payload)))
	}
}

// drain makes room, and keeps on doing so.
func (k *keeper) drain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.full = func(string) bool { return false }
	for _, release := range k.release {
		release()
	}
	k.release = nil
}

func (k *keeper) received(to string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.got[to]
}

func TestASenderWithAContextWaitsForTheQueue(t *testing.T) {
	release := make(chan struct{})
	var got []int
	all := make(chan struct{})
	const total = 5000
	s := server(t, Config{Handler: handler{receive: func(_ *Inbound, e *wire.View) {
		<-release
		if string(e.Message) == "n" {
			if got = append(got, int(e.UID)); len(got) == total {
				close(all)
			}
		}
	}}})
	p := client(t, Config{Lanes: 1, MaxMessage: 2 << 10, QueueBytes: 1 << 20}).peer(s)
	l := p.lanes[0]
	sent := make(chan error, 1)
	go func() {
		for n := range total {
			if err := p.TellContext(t.Context(), &wire.Envelope{To: "a", Message: "n", UID: uint64(n), Payload: make([]byte, 1<<10)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	awaitLane(l, func() bool { return l.waiting.Len() > 0 })
	// Those that cannot wait find room beside it.
	for range 100 {
		if err := p.Tell(&wire.Envelope{To: "b", Payload: make([]byte, 1<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	why := errors.New("enough")
	err := error(nil)
	for err == nil { // until all buffers on the way are full
		ctx, cancel := context.WithCancelCause(t.Context())
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- p.TellContext(ctx, &wire.Envelope{To: "b", Payload: make([]byte, 1<<10)}) }()
		awaitLane(l, func() bool { return l.waiting.Len() > 1 || len(gaveUp) > 0 })
		cancel(why)
		err = must(t, gaveUp, "the end of the context")
	}
	wantKind(t, err, NotSent, context.Canceled)
	if !errors.Is(err, why) {
		t.Error(err)
	}
	close(release)
	if err := must(t, sent, "the sender"); err != nil {
		t.Fatal(err)
	}
	must(t, all, "all messages")
	for i, n := range got {
		if i != n {
			t.Fatalf("%d arrived in place %d", n, i)
		}
	}
}

func TestSendersThatWaitFailWithTheirLink(t *testing.T) {
	entered := make(chan struct{})
	c := client(t, Config{Lanes: 1, MaxMessage: 1000, QueueBytes: 100_000, Dial: func(ctx context.Context, _ string) (net.Conn, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	p := c.Peer("server", "nowhere:1", 1)
	l := p.lanes[0]
	failed := make(chan error, 50)
	for range cap(failed) {
		go func() { failed <- p.TellContext(t.Context(), &wire.Envelope{To: "a", Payload: make([]byte, 900)}) }()
	}
	must(t, entered, "the dial")
	queued := 0
	awaitLane(l, func() bool { queued = l.queue.batches[0].count; return queued+l.waiting.Len() == cap(failed) })
	if queued == 0 || queued > 27 {
		t.Errorf("%d of 900 bytes are queued, in a quarter of 100,000", queued)
	}
	gone := errors.New("the node is dead")
	p.Close(gone)
	for i := range cap(failed) {
		if err := <-failed; i < queued && err != nil || i >= queued && !errors.Is(err, gone) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	wantKind(t, p.TellContext(t.Context(), &wire.Envelope{To: "a"}), NotSent, gone)
}

func TestAFullReceiverHoldsUpItsSendersAlone(t *testing.T) {
	k := &keeper{full: func(to string) bool { return to == "full" }}
	s := server(t, Config{Handler: handler{receive: k.receive}})
	p := client(t, Config{Lanes: 1}).peer(s)
	l := p.lanes[0]
	const senders, each = 20, 400 // each more than a window
	payload := make([]byte, 1<<10)
	if err := p.Tell(&wire.Envelope{To: "full"}); err != nil {
		t.Fatal(err)
	}
	awaitLane(l, func() bool { return len(l.allowances) == 1 })
	var all sync.WaitGroup
	var refused atomic.Int64
	for range senders {
		all.Go(func() {
			for range each {
				if err := p.TellContext(t.Context(), &wire.Envelope{To: "full", Payload: payload}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	waiting := func() int {
		if a := l.allowances[receiver{"full", 0}]; a != nil && len(l.queue.batches) == 0 {
			return a.waiting.Len()
		}
		return 0
	}
	awaitLane(l, func() bool { return waiting() == senders })
	for range 100 {
		if _, err := ask(p, "somebody else"); err != nil {
			t.Fatal(err)
		}
		if err := p.Tell(&wire.Envelope{To: "other", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		err := p.Tell(&wire.Envelope{To: "full", Payload: payload})
		if wantKind(t, err, NotSent, ErrReceiverFull); err != nil {
			refused.Add(1)
		}
	}
	if _, err := ask(p, ""); err != nil { // behind what was told
		t.Fatal(err)
	}
	if k.received("other") != 100 || refused.Load() != 100 {
		t.Errorf("%d arrived beside it, %d were refused", k.received("other"), refused.Load())
	}
	k.drain()
	all.Wait()
	if _, err := ask(p, ""); err != nil {
		t.Fatal(err)
	}
	if got := k.received("full"); got != senders*each+1 {
		t.Errorf("%d of %d arrived", got, senders*each)
	}
}

// What a receiver holds is bounded once its sender knows of it, and a message of any size
// gets through.
func TestAReceiverIsSentAsMuchAsItAllows(t *testing.T) {
	k := &keeper{full: func(string) bool { return true }}
	s := server(t, Config{Handler: handler{receive: k.receive}})
	p := client(t, Config{Lanes: 1}).peer(s)
	l := p.lanes[0]
	if err := p.Tell(&wire.Envelope{To: "full"}); err != nil {
		t.Fatal(err)
	}
	awaitLane(l, func() bool { return len(l.allowances) == 1 })
	for _, size := range []int{100, 10 << 10, window / 2, window * 3, 100} {
		n := 0
		for p.Tell(&wire.Envelope{To: "full", Payload: make([]byte, size)}) == nil {
			n++
		}
		if most := window/size + 1; n > most || n < min(most, window/(size+64))-1 || n == 0 {
			t.Errorf("%d messages of %d bytes", n, size)
		}
		if _, err := ask(p, ""); err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		if k.bytes > window+size {
			t.Errorf("%d bytes are held, the window is %d", k.bytes, window)
		}
		held := k.release
		k.release, k.bytes = nil, 0
		k.mu.Unlock()
		for _, release := range held {
			release()
		}
		awaitLane(l, func() bool {
			a := l.allowances[receiver{"full", 0}]
			return a.upTo == a.sent+window
		})
	}
}

func TestAnAllowanceEndsWithItsStream(t *testing.T) {
	k := &keeper{full: func(string) bool { return true }}
	s := server(t, Config{Handler: handler{receive: k.receive}})
	c := client(t, Config{Lanes: 1})
	p := c.peer(s)
	l := p.lanes[0]
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !stop.Load() {
			// It may fail while there is no connection.
			_ = p.TellContext(t.Context(), &wire.Envelope{To: "full", Payload: make([]byte, 10<<10)})
		}
	}()
	var now, before *allowance
	waits := func() bool {
		now = l.allowances[receiver{"full", 0}]
		return now != nil && now != before && now.waiting.Len() == 1
	}
	for range 3 {
		awaitLane(l, waits)
		before = now
		c.network.cut()
	}
	awaitLane(l, waits)
	stop.Store(true)
	k.drain()
	must(t, ended, "the sender")
}

func TestReceiversThatHaveRoomAgainAreForgotten(t *testing.T) {
	var in *Inbound
	s := server(t, Config{Handler: handler{receive: func(from *Inbound, e *wire.View) {
		in = from
		if e.Kind == wire.Cast {
			defer from.Hold(string(e.To), e.UID, len(e.Payload))()
		}
		echo(from, e)
	}}})
	p := client(t, Config{Lanes: 1}).peer(s)
	const receivers = 3*maxHolds + maxHolds/2
	for round := range 2 {
		for n := range receivers {
			if err := p.Tell(&wire.Envelope{To: "a", UID: uint64(n)}); err != nil {
				t.Fatal(err)
			}
			if n%100 == 0 {
				if _, err := ask(p, ""); err != nil {
					t.Fatal(round, err)
				}
			}
		}
	}
	if _, err := ask(p, ""); err != nil {
		t.Fatal(err)
	}
	l := p.lanes[0]
	in.mu.Lock()
	defer in.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := len(in.holds); got > maxHolds || len(l.allowances) != got {
		t.Errorf("%d of %d receivers are remembered there, and %d here", got, receivers, len(l.allowances))
	}
	for r := range l.allowances {
		if in.holds[r] == nil {
			t.Fatal("a receiver is bounded for ever")
		}
	}
}

// A node of 1.0 is told nothing of room, and its casts have no totals.
func TestAPeerOf10KnowsNoRoom(t *testing.T) {
	for _, old := range []string{"client", "server"} {
		t.Run(old, func(t *testing.T) {
			versions := map[string]version.Version{old: version.One()}
			k := &keeper{full: func(string) bool { return true }}
			s := server(t, Config{version: versions["server"], Handler: handler{receive: func(in *Inbound, e *wire.View) {
				if in.Holds() {
					t.Error("it holds what comes from a stream of 1.0")
				}
				k.receive(in, e)
			}}})
			p := client(t, Config{version: versions["client"]}).peer(s)
			for range 1000 {
				if err := p.TellContext(t.Context(), &wire.Envelope{To: "full", Payload: make([]byte, 1<<10)}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := p.Call(t.Context(), &wire.Envelope{To: "full"}); err != nil {
				t.Fatal(err)
			}
			if k.received("full") != 1000 || k.totals != 0 {
				t.Errorf("%d arrived, of a total of %d", k.received("full"), k.totals)
			}
		})
	}
}

func TestTooManyReceiversWithABoundEndTheStream(t *testing.T) {
	l := client(t, Config{}).Peer("server", "nowhere:1", 1).lanes[0]
	for n := range uint64(maxAllowances) {
		if err := l.allow(&wire.View{UID: n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.allow(&wire.View{UID: 0, Total: 7}); err != nil {
		t.Error("one that is known:", err)
	}
	if err := l.allow(&wire.View{UID: math.MaxUint64}); !errors.Is(err, wire.ErrMalformed) {
		t.Error(err)
	}
	if err := l.allow(&wire.View{UID: 0, Total: unlimited}); err != nil || len(l.allowances) != maxAllowances-1 {
		t.Error(len(l.allowances), err)
	}
}

// What was counted for an earlier stream, and goes out with the next one, allows nothing.
func TestTotalsOfAnEarlierStreamCountForNothing(t *testing.T) {
	k := &keeper{full: func(string) bool { return true }}
	s := server(t, Config{Handler: handler{receive: k.receive}})
	gate := make(chan struct{})
	p := client(t, Config{Lanes: 1, Dial: func(ctx context.Context, address string) (net.Conn, error) {
		<-gate
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}).peer(s)
	l := p.lanes[0]
	l.mu.Lock()
	l.allowances = map[receiver]*allowance{{"full", 0}: {sent: 1 << 30, upTo: 1 << 31}}
	l.mu.Unlock()
	message := func() *wire.Envelope { return &wire.Envelope{To: "full", Payload: make([]byte, 1<<10)} }
	for range 10 {
		if err := p.Tell(message()); err != nil {
			t.Fatal(err)
		}
	}
	l.mu.Lock()
	l.forgetAllowances() // as a stream does that ends before they are sent
	l.mu.Unlock()
	close(gate)
	for range 2 { // the Room of a frame comes after it
		if _, err := ask(p, ""); err != nil {
			t.Fatal(err)
		}
	}
	told, err := 0, error(nil)
	for told < 2*window>>10 {
		if err = p.Tell(message()); err != nil {
			break
		}
		told++
	}
	if wantKind(t, err, NotSent, ErrReceiverFull); told == 0 || told > window>>10 {
		t.Errorf("%d KiB were sent, with a window of %d", told, window>>10)
	}
	k.drain()
	if err := p.TellContext(t.Context(), message()); err != nil {
		t.Error(err)
	}
}

// More receivers can be full than the other node remembers.
func TestTheOtherNodeIsToldOfAsManyReceiversAsItRemembers(t *testing.T) {
	tr := &Transport{cfg: Config{QueueBytes: 8 << 20}}
	in := &Inbound{transport: tr, queue: queue{buffers: &tr.buffers}}
	var release func()
	for n := range uint64(maxAllowances + 10) {
		release = in.Hold("a", n, 1)
	}
	if release(); len(in.holds) != maxAllowances {
		t.Errorf("it is told of %d, and remembers %d", len(in.holds), maxAllowances)
	}
}

// probe is a log that looks at something with each line.
type probe struct {
	slog.Handler
	look func()
}

func (p probe) Handle(context.Context, slog.Record) error {
	p.look()
	return nil
}

func TestALongWaitIsLoggedWithoutALock(t *testing.T) {
	var l *lane
	lines, locked := 0, false
	c := client(t, Config{Logger: slog.New(probe{slog.NewTextHandler(io.Discard, nil), func() {
		lines++
		if locked = !l.mu.TryLock(); !locked {
			l.mu.Unlock()
		}
	}})})
	l = c.Peer("server", "nowhere:1", 1).lanes[0]
	var waiters [2]*waiter
	for i := range waiters {
		waiters[i] = &waiter{queued: make(chan error, 1)}
		waiters[i].join(&l.waiting)
	}
	if pause := l.report(waiters[0]); lines != 1 || locked || pause != reportPause {
		t.Errorf("%d lines, with the lock: %t, and again after %v", lines, locked, pause)
	}
	if pause := l.report(waiters[1]); lines != 1 || pause <= 0 || pause > reportPause {
		t.Errorf("%d lines, and again after %v", lines, pause)
	}
	l.reported = l.reported.Add(-reportPause)
	if l.report(waiters[1]); lines != 2 {
		t.Errorf("%d lines, the second wait is never logged", lines)
	}
}
