package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/mailbox"
)

func TestErrorsOfAHandlerCrossTheNetwork(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		ref := b.spawn(t, c.Node(0), c.Node(1))
		for how, code := range map[string]actor.Code{
			"sentinel":  actor.FailedPrecondition,
			"wrapped":   actor.FailedPrecondition,
			"plain":     actor.Unknown,
			"not found": actor.NotFound,
			"deadline":  actor.DeadlineExceeded,
			"a panic":   actor.Internal,
		} {
			began := time.Now()
			_, err := actor.Ask(within(t, time.Hour), ref, Fail{How: how})
			wantCode(t, how, err, code)
			if actor.AsError(err).NotRun {
				t.Errorf("%s: it is said not to have run: %v", how, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s: it took %v", how, took)
			}
			if is := errors.Is(err, errBroke); is != (how == "sentinel" || how == "wrapped") {
				t.Errorf("%s: errors.Is = %t for %v", how, is, err)
			}
		}
	})
}

func TestDeadlineAndCancelReachTheHandler(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		ref := b.spawn(t, c.Node(0), c.Node(1))

		_, err := actor.Ask(within(t, time.Second), ref, Hold{})
		wantCode(t, "Ask", err, actor.DeadlineExceeded)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("not context.DeadlineExceeded:", err)
		}
		if err := <-b.ended; err == nil {
			t.Error("the handler's context did not end")
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err = actor.Ask(ctx, ref, Hold{})
		wantCode(t, "Ask", err, actor.Canceled)
		if err := <-b.ended; !errors.Is(err, context.Canceled) {
			t.Error("the handler's context ended with", err)
		}
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("it took %v", took)
		}

		_, err = actor.Ask(ctx, ref, Where{})
		wantCode(t, "Ask with an ended context", err, actor.Canceled)
		if !actor.AsError(err).NotRun || b.runsOn("node-0") != 0 {
			t.Error("it ran:", err)
		}
	})
}

func TestMessagesAndRepliesOverTheLimitAreErrors(t *testing.T) {
	const limit = 1 << 20
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		ref := b.spawn(t, c.Node(0), c.Node(1))
		fits := bytes.Repeat([]byte{7}, limit-1000)
		if got, err := actor.Ask(t.Context(), ref, Echo{Text: fits}); err != nil || !bytes.Equal(got, fits) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
		_, err := actor.Ask(t.Context(), ref, Echo{Text: make([]byte, limit)})
		wantCode(t, "a large message", err, actor.InvalidArgument)
		if !actor.AsError(err).NotRun {
			t.Error("it is said that it may have run:", err)
		}
		wantCode(t, "a large cast", actor.Tell(ref, Echo{Text: make([]byte, limit)}), actor.InvalidArgument)
		_, err = actor.Ask(t.Context(), ref, Grow{Bytes: limit})
		wantCode(t, "a large reply", err, actor.ResourceExhausted)
		if actor.AsError(err).NotRun {
			t.Error("it is said not to have run:", err)
		}
		if _, err := actor.Ask(t.Context(), ref, Where{}); err != nil {
			t.Error("afterwards:", err)
		}
	}, cluster.WithMaxMessage(limit))
}

// Odd is the protocol of messages that do not travel well.
type Odd struct{}

type Unencodable struct{ actor.Call[Odd, string] }

func (Unencodable) MarshalBinary() ([]byte, error) { return nil, errors.New("not today") }

func (*Unencodable) UnmarshalBinary([]byte) error { return nil }

type PanicsOnEncoding struct{ actor.Call[Odd, string] }

func (PanicsOnEncoding) MarshalBinary() ([]byte, error) { panic("encoding") }

func (*PanicsOnEncoding) UnmarshalBinary([]byte) error { return nil }

type PanicsOnDecoding struct{ actor.Call[Odd, string] }

func (PanicsOnDecoding) MarshalBinary() ([]byte, error) { return []byte("x"), nil }

func (*PanicsOnDecoding) UnmarshalBinary([]byte) error { panic("decoding") }

type Unhandled struct{ actor.Call[Odd, string] }

type BadReply struct{ actor.Call[Odd, Unencodable] }

type Fine struct{ actor.Call[Odd, string] }

type odd struct{}

func answer[Q any](odd, *actor.Context, Q) (string, error) { return "fine", nil }

func (odd) badReply(*actor.Context, BadReply) (Unencodable, error) { return Unencodable{}, nil }

func TestMessagesThatDoNotTravelHarmNobody(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		local, err := actor.Spawn(c.Node(0).System(), actor.Define("odd", func() odd { return odd{} },
			actor.OnCall(answer[Unencodable]), actor.OnCall(answer[PanicsOnEncoding]), actor.OnCall(answer[PanicsOnDecoding]),
			actor.OnCall(answer[Fine]), actor.OnCall(odd.badReply)))
		if err != nil {
			t.Fatal(err)
		}
		ref, err := actor.Resolve[Odd](c.Node(1).System(), local.String())
		if err != nil {
			t.Fatal(err)
		}
		ctx := within(t, time.Hour)
		_, err = actor.Ask(ctx, ref, Unencodable{})
		wantCode(t, "an encoding that fails", err, actor.InvalidArgument)
		_, err = actor.Ask(ctx, ref, PanicsOnEncoding{})
		wantCode(t, "an encoding that panics", err, actor.InvalidArgument)
		_, err = actor.Ask(ctx, ref, PanicsOnDecoding{})
		wantCode(t, "a decoding that panics", err, actor.InvalidArgument)
		_, err = actor.Ask(ctx, ref, Unhandled{})
		wantCode(t, "an unknown message", err, actor.Unimplemented)
		_, err = actor.Ask(ctx, ref, BadReply{})
		wantCode(t, "a reply that does not encode", err, actor.Internal)
		if got, err := actor.Ask(ctx, ref, Fine{}); got != "fine" || err != nil {
			t.Errorf("afterwards: %q, %v", got, err)
		}
	})
}

// Two versions of one message, as two releases of a program have them: types with
// the same name in different scopes.
func oldVersion() (actor.Spawnable, func(context.Context, *cluster.Node) error) {
	type Protocol struct{}
	type Changed struct {
		actor.Call[Protocol, string]
		Field []string
	}
	d := actor.Define("versions", func() odd { return odd{} },
		actor.OnCall(func(odd, *actor.Context, Changed) (string, error) { return "", nil }))
	return d, func(ctx context.Context, n *cluster.Node) error {
		_, err := actor.Ask(ctx, cluster.Service[Protocol](n, "versions"), Changed{Field: []string{"x"}})
		return err
	}
}

func newVersion() (actor.Spawnable, func(context.Context, *cluster.Node) error) {
	type Protocol struct{}
	type Changed struct {
		actor.Call[Protocol, string]
		Field map[string]int
		Added string
	}
	d := actor.Define("versions", func() odd { return odd{} },
		actor.OnCall(func(odd, *actor.Context, Changed) (string, error) { return "", nil }))
	return d, func(ctx context.Context, n *cluster.Node) error {
		_, err := actor.Ask(ctx, cluster.Service[Protocol](n, "versions"), Changed{Field: map[string]int{"x": 1}})
		return err
	}
}

func TestAPayloadThatDoesNotDecodeIsInvalid(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		old, askOld := oldVersion()
		_, askNew := newVersion()
		if err := c.Node(0).Serve(old); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("versions", 1)
		ctx := within(t, time.Hour)
		wantCode(t, "another version", askNew(ctx, c.Node(1)), actor.InvalidArgument)
		wantCode(t, "the same version", askOld(ctx, c.Node(1)), actor.OK)
	})
}

func TestAFullMailboxElsewhereIsResourceExhausted(t *testing.T) {
	b := newBench()
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		local, err := actor.Spawn(c.Node(0).System(), b.worker("small").With(actor.BoundedMailbox(2, mailbox.Reject)))
		if err != nil {
			t.Fatal(err)
		}
		ref := refFor(t, c.Node(1), local)
		held := askMany(within(t, time.Hour), ref, 1, Hold{})
		<-b.holding
		for range 2 {
			if err := actor.Tell(ref, Note{}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = actor.Ask(within(t, time.Hour), ref, Where{})
		wantCode(t, "Ask", err, actor.ResourceExhausted)
		if !actor.AsError(err).NotRun {
			t.Error("it is said that it may have run:", err)
		}
		close(b.gate)
		if o := <-held; o.err != nil {
			t.Error(o.err)
		}
	}, cluster.WithActors(actor.WithDeadLetters(b.deadLetter)))
	if dead := b.deadLetters(); len(dead) != 0 {
		t.Error(dead)
	}
}
