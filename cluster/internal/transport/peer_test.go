package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

func TestACallIsAnswered(t *testing.T) {
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		if in.Node() != "client" || in.Incarnation() != 11 {
			t.Errorf("from %s %d", in.Node(), in.Incarnation())
		}
		echo(in, e)
	}}})
	for i := range 100 {
		want := fmt.Sprint("hello ", i)
		if got, err := ask(c.peer(s), want); err != nil || got != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestEveryFieldArrives(t *testing.T) {
	got, checked := make(chan wire.View), make(chan struct{})
	defer close(checked)
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		got <- *e
		<-checked
	}}})
	sent := wire.Envelope{To: "/a", UID: 5, From: "/b", Message: "m", ContentType: "t", Payload: []byte("p")}
	if err := c.peer(s).Tell(&sent); err != nil {
		t.Fatal(err)
	}
	v := must(t, got, "the cast")
	if v.Kind != wire.Cast || string(v.To) != "/a" || v.UID != 5 || string(v.From) != "/b" ||
		string(v.Message) != "m" || string(v.ContentType) != "t" || string(v.Payload) != "p" {
		t.Fatalf("got %+v", v)
	}
}

func TestAFailureReachesTheCaller(t *testing.T) {
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		in.Send(&wire.Envelope{Kind: wire.Failure, ID: e.ID, Code: 5, Reason: "unknown", Text: "no such actor", NotRun: true})
	}}})
	_, err := ask(c.peer(s), "")
	wantKind(t, err, Failed, nil)
	var e *Error
	errors.As(err, &e)
	if e.Code != 5 || e.Reason != "unknown" || e.Text != "no such actor" || !e.NotRun || e.Node != "server" {
		t.Fatalf("got %+v", e)
	}
}

func TestCastsToOneReceiverArriveInOrder(t *testing.T) {
	const actors, each = 10, 10_000
	var mu sync.Mutex
	next := make(map[string]uint64)
	count, done := 0, make(chan struct{})
	c, s := client(t, Config{QueueBytes: 64 << 20}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		mu.Lock()
		defer mu.Unlock()
		if n := binary.BigEndian.Uint64(e.Payload); n != next[string(e.To)] {
			t.Errorf("%s got %d, want %d", e.To, n, next[string(e.To)])
		}
		next[string(e.To)]++
		if count++; count == actors*each {
			close(done)
		}
	}}})
	p := c.peer(s)
	for i := range uint64(each) {
		for a := range actors {
			e := wire.Envelope{To: fmt.Sprint("actor-", a), Payload: binary.BigEndian.AppendUint64(nil, i)}
			if err := p.Tell(&e); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, done, "all casts")
}

func TestALargeMessageArrivesWholeBetweenSmallOnes(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 3<<20)
	var got atomic.Int64
	c, s := client(t, Config{QueueBytes: 16 << 20}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		if e.Kind == wire.Cast && (len(e.Payload) == 1 || bytes.Equal(e.Payload, big)) {
			got.Add(1)
		}
		echo(in, e)
	}}})
	p := c.peer(s)
	for i := range 5 {
		payload := big
		if i%2 == 0 {
			payload = []byte("x")
		}
		if err := p.Tell(&wire.Envelope{To: "echo", Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := ask(p, string(big)); err != nil || reply != string(big) {
		t.Fatalf("reply of %d bytes, %v", len(reply), err)
	}
	if got.Load() != 5 {
		t.Fatalf("%d casts arrived before the call behind them", got.Load())
	}
}

func TestAMessageThatIsTooLargeIsRefused(t *testing.T) {
	c, s := client(t, Config{MaxMessage: 1000}), server(t, Config{MaxMessage: 1000, Handler: handler{receive: echo}})
	p := c.peer(s)
	wantKind(t, p.Tell(&wire.Envelope{To: "a", Payload: make([]byte, 1001)}), NotSent, ErrTooLarge)
	wantKind(t, p.Tell(&wire.Envelope{To: strings.Repeat("a", 1<<20)}), NotSent, ErrTooLarge)
	_, err := ask(p, string(make([]byte, 1001)))
	wantKind(t, err, NotSent, ErrTooLarge)
	if _, err := p.Watch(&wire.Envelope{Payload: make([]byte, 1001)}, nil); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if _, err := ask(p, string(make([]byte, 1000))); err != nil {
		t.Fatalf("at the limit: %v", err)
	}
}

func TestAReplyThatIsTooLargeBecomesAFailure(t *testing.T) {
	c, s := client(t, Config{MaxMessage: 1000}), server(t, Config{MaxMessage: 1000, Handler: handler{receive: func(in *Inbound, e *wire.View) {
		in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID, Payload: make([]byte, 1001)})
	}}})
	_, err := ask(c.peer(s), "")
	wantKind(t, err, Failed, nil)
}

func TestASystemEnvelopeMayBeLarger(t *testing.T) {
	c, s := client(t, Config{MaxMessage: 1000}), server(t, Config{MaxMessage: 1000, Handler: handler{receive: func(in *Inbound, e *wire.View) {
		in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID, Payload: e.Payload, System: true})
	}}})
	call := func(size int) (int, error) {
		v, err := c.peer(s).Call(t.Context(), &wire.Envelope{To: "store", Payload: make([]byte, size), System: true})
		return len(v.Payload), err
	}
	if got, err := call(maxSystem); err != nil || got != maxSystem {
		t.Errorf("%d bytes came back, %v; want %d", got, err, maxSystem)
	}
	_, err := call(maxSystem + 1)
	wantKind(t, err, NotSent, ErrTooLarge)
}

func TestTheEndOfTheContextCancelsTheCall(t *testing.T) {
	started, cancelled := make(chan uint64, 1), make(chan uint64, 1)
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		switch e.Kind {
		case wire.Call:
			if e.Timeout != 0 {
				t.Errorf("timeout %d without a deadline", e.Timeout)
			}
			started <- e.ID
		case wire.Cancel:
			cancelled <- e.ID
			in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID}) // too late: nobody is disturbed
		}
	}}})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() {
		_, err := c.peer(s).Call(ctx, &wire.Envelope{To: "slow"})
		result <- err
	}()
	id := must(t, started, "the call")
	cancel()
	wantKind(t, must(t, result, "the result"), ContextEnded, context.Canceled)
	if got := must(t, cancelled, "the cancel"); got != id {
		t.Fatalf("cancelled %d, called %d", got, id)
	}
	_, err := c.peer(s).Call(ctx, &wire.Envelope{To: "slow"})
	wantKind(t, err, NotSent, context.Canceled)
}

func TestACallCarriesItsTimeLeft(t *testing.T) {
	timeout := make(chan uint64, 1)
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(in *Inbound, e *wire.View) {
		timeout <- e.Timeout
		echo(in, e)
	}}})
	if _, err := ask(c.peer(s), ""); err != nil {
		t.Fatal(err)
	}
	if got := <-timeout; got == 0 || got > uint64(patience) {
		t.Fatalf("timeout %d", got)
	}
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	dialling := make(chan struct{})
	var dropped atomic.Int64
	c := client(t, Config{
		Lanes: 1, MaxMessage: 1000, QueueBytes: 100_000,
		Dial: func(ctx context.Context, _ string) (net.Conn, error) {
			close(dialling)
			<-ctx.Done()
			return nil, ctx.Err()
		},
		Dropped: func(_, _, _ string, reason error) {
			wantKind(t, reason, NotSent, nil)
			dropped.Add(1)
		},
	})
	p := c.Peer("server", "nowhere:1", 1)
	sent := int64(0)
	var err error
	for err == nil {
		if err = p.Tell(&wire.Envelope{To: "a", Payload: make([]byte, 900)}); err == nil {
			sent++
		}
	}
	wantKind(t, err, NotSent, ErrQueueFull)
	if sent < 90 || sent > 111 {
		t.Fatalf("%d messages of 900 bytes in a queue of 100,000", sent)
	}
	must(t, dialling, "the dial")
	gone := errors.New("the node is dead")
	p.Close(gone)
	p.Close(errors.New("again"))
	if dropped.Load() != sent {
		t.Fatalf("%d sent, %d dropped", sent, dropped.Load())
	}
	wantKind(t, p.Tell(&wire.Envelope{To: "a"}), NotSent, gone)
}

func TestANodeThatCannotBeReachedFailsAtOnce(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dropped := make(chan string, 1)
	c := client(t, Config{Dropped: func(node, to, message string, reason error) {
		wantKind(t, reason, NotSent, ErrUnreachable)
		dropped <- node + " " + to + " " + message
	}})
	p := c.Peer("server", address, serverIncarnation)
	if err := p.Tell(&wire.Envelope{To: "echo", Message: "test.Echo"}); err != nil {
		t.Fatal(err)
	}
	if got := must(t, dropped, "the drop"); got != "server echo test.Echo" {
		t.Fatalf("dropped %s", got)
	}
	_, err := ask(p, "")
	wantKind(t, err, NotSent, ErrUnreachable)

	serveOn(t, Config{Handler: handler{receive: echo}}, listen(t, address), serverIncarnation)
	callUntilAnswered(t, p)
}

func TestAnotherIncarnationIsRefused(t *testing.T) {
	received := make(chan struct{}, 1)
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(*Inbound, *wire.View) { received <- struct{}{} }}})
	p := c.Peer("server", s.address, serverIncarnation+1)
	ended := make(chan error, 1)
	if _, err := p.Watch(&wire.Envelope{To: "echo"}, func(_ *wire.View, err error) { ended <- err }); err != nil {
		t.Fatal(err)
	}
	_, err := ask(p, "")
	wantKind(t, err, NotSent, ErrReplaced)
	wantKind(t, must(t, ended, "the watch"), NotSent, ErrReplaced)
	wantKind(t, p.Tell(&wire.Envelope{To: "echo"}), NotSent, ErrReplaced)
	select {
	case <-received:
		t.Fatal("a message reached the wrong incarnation")
	default:
	}
}

func TestClosingThePeerFailsWhatIsPending(t *testing.T) {
	started := make(chan struct{})
	closed := make(chan *Inbound, 1)
	c, s := client(t, Config{Lanes: 1}), server(t, Config{Handler: handler{
		receive: func(*Inbound, *wire.View) { close(started) },
		closed:  func(in *Inbound) { closed <- in },
	}})
	p := c.peer(s)
	result := make(chan error, 1)
	go func() {
		_, err := ask(p, "")
		result <- err
	}()
	must(t, started, "the call")
	gone := errors.New("the node is dead")
	p.Close(gone)
	wantKind(t, must(t, result, "the result"), Lost, gone)
	in := must(t, closed, "Closed")
	in.Send(&wire.Envelope{Kind: wire.Reply}) // nobody is there any more
	if c.peer(s) == p {
		t.Fatal("the closed link is handed out again")
	}
}

func TestCloseCanBeRepeatedAndHonoursItsContext(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	c, s := client(t, Config{}), server(t, Config{Handler: handler{receive: func(*Inbound, *wire.View) {
		close(entered)
		<-release
	}}})
	if err := c.peer(s).Tell(&wire.Envelope{To: "a"}); err != nil {
		t.Fatal(err)
	}
	must(t, entered, "the cast")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Close while a handler runs: %v", err)
	}
	close(release)
	shut(t, s.Transport)
	shut(t, s.Transport)
	wantKind(t, s.Peer("client", "nowhere:1", 1).Tell(&wire.Envelope{}), NotSent, ErrClosed)
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Node: "a", Dial: new(network).dial, Handler: handler{receive: ignore}}
	for name, spoil := range map[string]func(*Config){
		"no node":        func(c *Config) { c.Node = "" },
		"bad node":       func(c *Config) { c.Node = "a\n" },
		"no dial":        func(c *Config) { c.Dial = nil },
		"no handler":     func(c *Config) { c.Handler = nil },
		"lanes":          func(c *Config) { c.Lanes = 1000 },
		"max message":    func(c *Config) { c.MaxMessage = -1 },
		"small queue":    func(c *Config) { c.QueueBytes = 1 },
		"half encrypted": func(c *Config) { c.ClientTLS = func(string) *tls.Config { return nil } },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
