package transport

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/persistence/version"
)

// Limits with which gRPC on the smaller side would end the stream, and with which it would not.
func limits() map[string][2]int {
	return map[string][2]int{"small": {1 << 20, 16 << 10}, "beyond a frame": {16 << 20, 1 << 20}}
}

func TestWhatTheOtherNodeDoesNotTakeIsRefusedHere(t *testing.T) {
	for name, limit := range limits() {
		t.Run(name, func(t *testing.T) {
			own, theirs := limit[0], limit[1]
			holding, release := make(chan struct{}), make(chan struct{})
			s := server(t, Config{MaxMessage: theirs, Handler: handler{receive: func(in *Inbound, e *wire.View) {
				if string(e.To) != "slow" {
					echo(in, e)
					return
				}
				close(holding)
				id := e.ID
				go func() {
					<-release
					in.Send(&wire.Envelope{Kind: wire.Reply, ID: id})
				}()
			}}})
			p := client(t, Config{Lanes: 1, MaxMessage: own}).peer(s)
			unrelated := make(chan error, 1)
			go func() {
				_, err := p.Call(t.Context(), &wire.Envelope{To: "slow"})
				unrelated <- err
			}()
			must(t, holding, "an unrelated call in flight")

			large := strings.Repeat("x", own)
			_, err := ask(p, large)
			told := p.Tell(&wire.Envelope{To: "echo", Payload: []byte(large)})
			for _, err := range []error{err, told} {
				wantKind(t, err, NotSent, ErrTooLarge)
				for _, part := range []string{fmt.Sprint(own), fmt.Sprint(theirs), "server"} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("nothing of %s in: %v", part, err)
					}
				}
			}
			if got, err := ask(p, large[:theirs]); err != nil || len(got) != theirs {
				t.Errorf("at the limit: %d bytes came back, %v", len(got), err)
			}
			close(release)
			if err := must(t, unrelated, "the unrelated call"); err != nil {
				t.Error("the unrelated call:", err)
			}
		})
	}
}

// What is queued before the first stream is open was held against this node's limit alone.
func TestWhatWasQueuedBeforeTheLimitIsKnownIsRefused(t *testing.T) {
	for name, limit := range limits() {
		t.Run(name, func(t *testing.T) {
			own, theirs := limit[0], limit[1]
			var mu sync.Mutex
			got := make(map[string]int)
			s := server(t, Config{MaxMessage: theirs, Handler: handler{receive: func(in *Inbound, e *wire.View) {
				mu.Lock()
				got[string(e.Message)]++
				mu.Unlock()
				echo(in, e)
			}}})
			lost := make(chan error, 1)
			gate := make(chan struct{})
			dial := func(ctx context.Context, address string) (net.Conn, error) {
				<-gate
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			}
			c := client(t, Config{Lanes: 1, MaxMessage: own, Dial: dial, Dropped: func(_, _, message string, err error) {
				if message != "large" {
					t.Errorf("%s was dropped: %v", message, err)
				}
				lost <- err
			}})
			p := c.peer(s)
			for _, e := range []wire.Envelope{
				{To: "a", Message: "small"}, {To: "a", Message: "large", Payload: make([]byte, theirs+1)}, {To: "a", Message: "small"},
			} {
				if err := p.Tell(&e); err != nil {
					t.Fatal(err)
				}
			}
			asked := []chan error{make(chan error, 1), make(chan error, 1)}
			for more, asked := range asked {
				go func() {
					_, err := ask(p, string(make([]byte, theirs+more)))
					asked <- err
				}()
				awaitCalls(p.lanes[0], more+1)
			}
			watched := make(chan error, 1)
			if _, err := p.Watch(&wire.Envelope{To: "a", Payload: make([]byte, theirs+1)}, func(_ *wire.View, err error) { watched <- err }); err != nil {
				t.Fatal(err)
			}
			close(gate)
			wantKind(t, must(t, lost, "the cast"), NotSent, ErrTooLarge)
			wantKind(t, must(t, watched, "the watch"), NotSent, ErrTooLarge)
			wantKind(t, must(t, asked[1], "the large call"), NotSent, ErrTooLarge)
			if err := must(t, asked[0], "the call at the limit"); err != nil {
				t.Error("at the limit:", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if got["small"] != 2 || got["large"] != 0 {
				t.Errorf("arrived: %v", got)
			}
		})
	}
}

// awaitCalls waits until so many calls of a lane wait for their answers.
func awaitCalls(l *lane, n int) {
	for {
		l.mu.Lock()
		calls := len(l.calls)
		l.mu.Unlock()
		if calls == n {
			return
		}
		runtime.Gosched()
	}
}

func TestAReplyThatTheAskerDoesNotTakeIsAFailureOfThatCall(t *testing.T) {
	for name, limit := range limits() {
		t.Run(name, func(t *testing.T) {
			large, small := limit[0], limit[1]
			s := server(t, Config{MaxMessage: large, Handler: handler{receive: func(in *Inbound, e *wire.View) {
				size := small
				if string(e.Payload) == "large" {
					size = large
				}
				in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID, Payload: make([]byte, size)})
			}}})
			p := client(t, Config{Lanes: 1, MaxMessage: small}).peer(s)
			_, err := ask(p, "large")
			wantKind(t, err, Failed, nil)
			for _, part := range []string{fmt.Sprint(large), fmt.Sprint(small), "client", "server"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("nothing of %s in: %v", part, err)
				}
			}
			if got, err := ask(p, "small"); err != nil || len(got) != small {
				t.Errorf("at the limit: %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestSystemEnvelopesAreNotHeldAgainstTheLimitOfTheOtherNode(t *testing.T) {
	s := server(t, Config{MaxMessage: 1000, Handler: handler{receive: func(in *Inbound, e *wire.View) {
		in.Send(&wire.Envelope{Kind: wire.Reply, ID: e.ID, Payload: e.Payload, System: true})
	}}})
	p := client(t, Config{MaxMessage: 2000}).peer(s)
	for range 2 { // before and after the limit is known
		v, err := p.Call(t.Context(), &wire.Envelope{To: "store", Payload: make([]byte, maxSystem), System: true})
		if err != nil || len(v.Payload) != maxSystem {
			t.Errorf("%d bytes came back, %v", len(v.Payload), err)
		}
	}
}

// Batches of small messages are as large to a node that takes small messages only.
func TestANodeThatTakesLittleTakesFullBatches(t *testing.T) {
	const total = 2000
	done, n := make(chan struct{}), 0
	s := server(t, Config{MaxMessage: 1000, Handler: handler{receive: func(*Inbound, *wire.View) {
		if n++; n == total {
			close(done)
		}
	}}})
	p := client(t, Config{Lanes: 1, MaxMessage: 16 << 20}).peer(s)
	for range total {
		if err := p.Tell(&wire.Envelope{To: "a", Payload: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	must(t, done, "all")
}

// A peer of 1.0 says nothing of its limit, and is told nothing: all is as it was.
func TestAPeerOf10IsHeldAgainstTheOwnLimitAlone(t *testing.T) {
	const large, small = 1 << 20, 16 << 10
	for _, old := range []string{"client", "server"} {
		t.Run(old, func(t *testing.T) {
			versions := map[string]version.Version{old: version.One()}
			s := server(t, Config{MaxMessage: small, version: versions["server"], Handler: handler{receive: echo}})
			p := client(t, Config{MaxMessage: large, version: versions["client"]}).peer(s)
			_, err := ask(p, string(make([]byte, large)))
			wantKind(t, err, Failed, nil) // that of the reply
			if got, err := ask(p, "small"); got != "small" || err != nil {
				t.Error(got, err)
			}
			header, err := rawStream(t, s.address, map[string]string{keyMinor: "0"}).Header()
			if err != nil || first(header, keyMaxMessage) != "" {
				t.Errorf("a stream of 1.0 is answered with %v, %v", header, err)
			}
		})
	}
}

func TestALimitThatIsNoSizeIsRefused(t *testing.T) {
	s := server(t, Config{Handler: handler{receive: echo}})
	for _, size := range []string{"-1", "0", "many", "9999999999"} {
		stream := rawStream(t, s.address, map[string]string{keyMinor: "1", keyMaxMessage: size})
		if err := stream.RecvMsg(new(received)); err == nil || !strings.Contains(err.Error(), keyMaxMessage) {
			t.Errorf("%q: %v", size, err)
		}
	}
}

// Senders that wait for the queue are served when what was before them is refused.
func TestWhoWaitsBehindWhatIsTooLargeGoesOn(t *testing.T) {
	arrived := make(chan string, 1)
	s := server(t, Config{MaxMessage: 1 << 20, Handler: handler{receive: func(_ *Inbound, e *wire.View) { arrived <- string(e.Message) }}})
	gate, lost := make(chan struct{}), make(chan error, 1)
	p := client(t, Config{Lanes: 1, MaxMessage: 4 << 20, Dropped: func(_, _, _ string, err error) { lost <- err },
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			<-gate
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}}).peer(s)
	l := p.lanes[0]
	tell := func(message string, size int) <-chan error {
		told := make(chan error, 1)
		go func() {
			told <- p.TellContext(t.Context(), &wire.Envelope{To: "a", Message: message, Payload: make([]byte, size)})
		}()
		return told
	}
	if err := must(t, tell("first", 3<<20), "the one that finds room"); err != nil {
		t.Fatal(err)
	}
	second := tell("second", 3<<20)
	awaitLane(l, func() bool { return l.waiting.Len() == 1 })
	third := tell("third", 1<<10)
	awaitLane(l, func() bool { return l.waiting.Len() == 2 })
	close(gate)
	wantKind(t, must(t, lost, "the first"), NotSent, ErrTooLarge)
	wantKind(t, must(t, second, "the second"), NotSent, ErrTooLarge)
	if err := must(t, third, "the third"); err != nil {
		t.Error(err)
	}
	if got := must(t, arrived, "the third to arrive"); got != "third" {
		t.Errorf("%s has arrived", got)
	}
}
