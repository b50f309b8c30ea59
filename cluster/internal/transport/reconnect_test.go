package transport

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// ledger counts what became of numbered casts to one receiver.
type ledger struct {
	mu       sync.Mutex
	arrived  map[uint64]int
	last     uint64
	disorder int
	dropped  int
	lost     map[ErrorKind]int
}

func (l *ledger) receive(in *Inbound, e *wire.View) {
	if e.Kind != wire.Cast {
		echo(in, e)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := binary.BigEndian.Uint64(e.Payload)
	l.arrived[n]++
	if n <= l.last {
		l.disorder++
	}
	l.last = n
}

func (l *ledger) drop(_, _, _ string, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped++
	l.lost[reason.(*Error).Kind]++
}

func TestAcrossBrokenConnectionsCastsAreOrderedOnceAndAccountedFor(t *testing.T) {
	const total, cuts = 60_000, 6
	book := &ledger{arrived: make(map[uint64]int), lost: make(map[ErrorKind]int)}
	c := client(t, Config{Dropped: book.drop})
	s := server(t, Config{Handler: handler{receive: book.receive}})
	p := c.peer(s)
	for i := range uint64(total) {
		switch i % (total / cuts) {
		case 0:
			callUntilAnswered(t, p) // a connection stands
		case total / cuts / 2:
			c.network.cut()
		}
		e := wire.Envelope{To: "echo", Payload: binary.BigEndian.AppendUint64(nil, i+1)}
		if p.Tell(&e) != nil {
			book.drop("", "", "", &Error{Kind: NotSent})
		}
	}
	callUntilAnswered(t, p) // on the same lane: everything before it has settled

	book.mu.Lock()
	defer book.mu.Unlock()
	for n, times := range book.arrived {
		if times > 1 {
			t.Errorf("cast %d arrived %d times", n, times)
		}
	}
	if book.disorder > 0 {
		t.Errorf("%d casts out of order", book.disorder)
	}
	if got := len(book.arrived) + book.dropped; got < total {
		t.Errorf("of %d casts %d arrived and %d were reported: %d vanished", total, len(book.arrived), book.dropped, total-got)
	}
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.network.dials != cuts+1 {
		t.Errorf("%d dials for %d cuts", c.network.dials, cuts)
	}
	t.Logf("%d arrived, %d reported (%v)", len(book.arrived), book.dropped, book.lost)
}

func TestACallInFlightIsLostWhenTheConnectionBreaks(t *testing.T) {
	started, closed := make(chan struct{}, 1), make(chan struct{}, 1)
	c := client(t, Config{Lanes: 1})
	s := server(t, Config{Handler: handler{
		receive: func(in *Inbound, e *wire.View) {
			if string(e.To) == "slow" {
				started <- struct{}{}
				return
			}
			echo(in, e)
		},
		closed: func(*Inbound) { closed <- struct{}{} },
	}})
	p := c.peer(s)
	result := make(chan error, 1)
	go func() {
		_, err := p.Call(t.Context(), &wire.Envelope{To: "slow"})
		result <- err
	}()
	must(t, started, "the call")
	c.network.cut()
	wantKind(t, must(t, result, "the result"), Lost, ErrBroken)
	must(t, closed, "Closed")
	callUntilAnswered(t, p)
}

func TestAnAcknowledgedCastIsNotReportedAsDropped(t *testing.T) {
	var mu sync.Mutex
	dropped := 0
	c := client(t, Config{Lanes: 1, Dropped: func(string, string, string, error) {
		mu.Lock()
		defer mu.Unlock()
		dropped++
	}})
	broken := make(chan struct{})
	s := server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		echo(in, e)
		if e.Kind == wire.Call {
			<-broken // nothing but the reply itself can tell what came before the call
		}
	}}})
	p := c.peer(s)
	for range 10 {
		if err := p.Tell(&wire.Envelope{To: "echo"}); err != nil {
			t.Fatal(err)
		}
	}
	callUntilAnswered(t, p)
	c.network.cut()
	close(broken)
	callUntilAnswered(t, p)
	mu.Lock()
	defer mu.Unlock()
	if dropped != 0 {
		t.Fatalf("%d casts reported", dropped)
	}
}

func TestManyCallersSurviveBrokenConnections(t *testing.T) {
	c := client(t, Config{})
	s := server(t, Config{Handler: handler{receive: echo}})
	p := c.peer(s)
	callUntilAnswered(t, p)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for i := range 200 {
				want := fmt.Sprint(caller, " ", i)
				v, err := p.Call(t.Context(), &wire.Envelope{To: fmt.Sprint("actor-", i), Payload: []byte(want)})
				if err == nil && string(v.Payload) != want {
					t.Errorf("got the reply %q to %q", v.Payload, want)
				}
				if caller == 0 && i%50 == 25 {
					c.network.cut()
				}
			}
		})
	}
	wg.Wait()
	callUntilAnswered(t, p)
}

func TestAWatchOutlivesABrokenConnection(t *testing.T) {
	watching := make(chan *Inbound, 4)
	var mu sync.Mutex
	id := uint64(0)
	c := client(t, Config{Lanes: 1})
	s := server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		if e.Kind == wire.Watch {
			mu.Lock()
			id = e.ID
			mu.Unlock()
			watching <- in
		}
	}}})
	ended := make(chan string, 1)
	if _, err := c.peer(s).Watch(&wire.Envelope{To: "a"}, func(v *wire.View, err error) {
		ended <- fmt.Sprint(string(v.Reason), err)
	}); err != nil {
		t.Fatal(err)
	}
	must(t, watching, "the watch")
	c.network.cut()
	in := must(t, watching, "the watch again, though nothing else was sent")
	mu.Lock()
	in.Send(&wire.Envelope{Kind: wire.Terminated, ID: id, Reason: "stopped"})
	in.Send(&wire.Envelope{Kind: wire.Terminated, ID: id, Reason: "again"})
	mu.Unlock()
	if got := must(t, ended, "the end"); got != "stopped<nil>" {
		t.Fatalf("ended with %s", got)
	}
}

func TestAWatchThatIsStoppedIsTakenBack(t *testing.T) {
	kinds := make(chan wire.Kind, 4)
	c := client(t, Config{Lanes: 1})
	s := server(t, Config{Handler: handler{receive: func(_ *Inbound, e *wire.View) { kinds <- e.Kind }}})
	w, err := c.peer(s).Watch(&wire.Envelope{To: "a"}, func(*wire.View, error) { t.Error("the callback ran") })
	if err != nil {
		t.Fatal(err)
	}
	w.Stop()
	w.Stop()
	if first, second := must(t, kinds, "watch"), must(t, kinds, "unwatch"); first != wire.Watch || second != wire.Unwatch {
		t.Fatalf("got %v and %v", first, second)
	}
}

func TestAWatchEndsWithARefusalOrWithItsLink(t *testing.T) {
	c := client(t, Config{})
	s := server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		if string(e.To) == "secret" {
			in.Send(&wire.Envelope{Kind: wire.Failure, ID: e.ID, Code: 7, Text: "not allowed"})
		}
	}}})
	p := c.peer(s)
	ended := make(chan error, 1)
	callback := func(_ *wire.View, err error) { ended <- err }
	if _, err := p.Watch(&wire.Envelope{To: "secret"}, callback); err != nil {
		t.Fatal(err)
	}
	wantKind(t, must(t, ended, "the refusal"), Failed, nil)
	if _, err := p.Watch(&wire.Envelope{To: "public"}, callback); err != nil {
		t.Fatal(err)
	}
	p.Close(ErrClosed)
	wantKind(t, must(t, ended, "the end"), NotSent, ErrClosed)
}
