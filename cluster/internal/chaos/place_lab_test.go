package chaos

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic"
)

// Lab is the protocol of the actors of the trials.
type Lab struct{}

// Do is asked: What says what its handler does.
type Do struct {
	actor.Call[Lab, Seen]
	What  string
	To    []actor.Ref[Lab]
	Cargo Cargo
}

// Seen is what a handler answers.
type Seen struct {
	Text  string
	Cargo Cargo
}

// Hear is told.
type Hear struct {
	actor.Cast[Lab]
	What  string
	Cargo Cargo
}

// Unheard and Unanswered have no handlers.
type Unheard struct{ actor.Cast[Lab] }
type Unanswered struct{ actor.Call[Lab, Seen] }

// Cargo has a field of each kind.
type Cargo struct {
	Flag    bool
	Int     int
	Small   int8
	Big     uint64
	Float   float64
	Text    string
	Bytes   []byte
	List    []string
	Map     map[string]int
	Array   [3]int
	Pointer *int
	Inner   *Cargo
	When    time.Time
	Long    time.Duration
	Ref     actor.Ref[Lab]
	Address actor.Address
}

func (c Cargo) String() string {
	if reflect.ValueOf(c).IsZero() {
		return "{}"
	}
	inner, pointer := "nil", "nil"
	if c.Inner != nil {
		inner = c.Inner.String()
	}
	if c.Pointer != nil {
		pointer = fmt.Sprint(*c.Pointer)
	}
	return fmt.Sprintf("{%v %d %d %d %v %q %q %v %q %v %v %v %v %s %s %v %v %v %v}", c.Flag, c.Int, c.Small, c.Big, c.Float, c.Text,
		c.Bytes, c.Bytes == nil, c.List, c.List == nil, c.Map, c.Map == nil, c.Array, pointer, inner, c.When.UTC(), c.Long, c.Ref, c.Address)
}

var (
	errSoldOut = actor.NewError(actor.FailedPrecondition, "sold out")
	errSender  = errors.New("the sender's own reason")
)

type senderKey struct{}

// lab does what it is told.
type lab struct {
	acts    *transcript
	later   []*actor.Reply[Seen]
	stashed bool
	turns   chan func(*actor.Context) // of an asker
}

func (w *world) define(name string, options ...actor.DefineOption) actor.Definition[Lab] {
	return actor.Define(name, func() *lab { return &lab{acts: w.acts} },
		actor.OnCall((*lab).do), actor.OnCast((*lab).hear), actor.OnCall((*lab).event)).With(options...)
}

func (l *lab) Terminated(_ *actor.Context, e actor.Terminated) {
	l.acts.add("%v has ended: %s", e.Who, failureText(e.Reason))
}

func (l *lab) describe(ctx *actor.Context) string {
	left := "no deadline"
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline).Round(time.Second).String()
	}
	return fmt.Sprintf("values %v and %v, %s, ended %v by %v, from %q", ctx.Value(senderKey{}), ctx.Value("text"), left, ctx.Err(), context.Cause(ctx), ctx.Caller().Address)
}

func (l *lab) do(ctx *actor.Context, m Do) (Seen, error) {
	switch m.What {
	case "answer":
		return Seen{"answered", m.Cargo}, nil
	case "look around":
		return Seen{Text: l.describe(ctx)}, nil
	case "wait":
		<-ctx.Done()
		l.acts.add("the handler ends: %v by %v", ctx.Err(), context.Cause(ctx))
		return Seen{}, ctx.Err()
	case "child":
		child, err := actor.Spawn(ctx, actor.Define("child", func() *lab { return &lab{acts: l.acts} }, actor.OnCall((*lab).do)))
		if err != nil {
			return Seen{}, err
		}
		return actor.Ask(ctx, child, Do{What: "ask", To: m.To})
	case "ask":
		return actor.Ask(ctx, m.To[0], Do{What: "ask on", To: m.To[1:]})
	case "ask on":
		if len(m.To) == 0 {
			return Seen{Text: "the end"}, nil
		}
		return l.do(ctx, Do{What: "ask", To: m.To})
	case "ask aside":
		reply, later := actor.ReplyLater[Seen](ctx)
		go func() { reply.Send(actor.Ask(ctx, m.To[0], Do{What: "ask on", To: m.To[1:]})) }()
		return Seen{}, later
	case "stop":
		ctx.Stop()
		return Seen{Text: "stopping"}, nil
	}
	if seen, err, known := l.doLater(ctx, m); known {
		return seen, err
	}
	return fail(ctx, m)
}

// fail ends the request as an error, or a failure of the actor.
func fail(ctx *actor.Context, m Do) (Seen, error) {
	switch m.What {
	case "plain error":
		return Seen{Text: "and a reply"}, errors.New("plain")
	case "coded error":
		return Seen{}, actor.Errorf(actor.NotFound, "coded")
	case "error with a reason":
		return Seen{}, errSoldOut
	case "wrapped error":
		return Seen{}, fmt.Errorf("wrapped: %w", errSoldOut)
	case "bare code":
		return Seen{}, actor.PermissionDenied
	case "error of a call that did not run":
		return Seen{}, &actor.Error{Code: actor.Internal, Message: "of somebody else", NotRun: true}
	case "nil error":
		var none *actor.Error
		return Seen{}, none
	case "end of another context":
		return Seen{}, context.DeadlineExceeded
	case "cancellation":
		return Seen{}, context.Canceled
	case "long error":
		return Seen{}, errors.New(strings.Repeat("ä", 10_000))
	case "panic":
		panic("no coffee")
	case "panic with an error":
		panic(errSoldOut)
	case "Goexit":
		runtime.Goexit()
	case "Fail":
		ctx.Fail(errSoldOut)
	default:
		return Seen{}, actor.Errorf(actor.Unimplemented, "a trial of %q", m.What)
	}
	return Seen{}, nil
}

// doLater answers when the handler has returned, if it knows the request.
func (l *lab) doLater(ctx *actor.Context, m Do) (seen Seen, err error, known bool) {
	switch m.What {
	case "reply later":
		reply, later := actor.ReplyLater[Seen](ctx)
		go reply.Send(Seen{Text: "later"}, nil)
		return Seen{}, later, true
	case "fail later":
		reply, later := actor.ReplyLater[Seen](ctx)
		go reply.Send(Seen{Text: "later"}, errSoldOut)
		return Seen{}, later, true
	case "reply twice":
		reply, later := actor.ReplyLater[Seen](ctx)
		reply.Send(Seen{Text: "first"}, nil)
		reply.Send(Seen{Text: "second"}, errSoldOut)
		return Seen{Text: "third"}, later, true
	case "reply something else":
		_, later := actor.ReplyLater[int](ctx)
		return Seen{}, later, true
	case "never reply":
		_, later := actor.ReplyLater[Seen](ctx)
		return Seen{}, later, true
	case "pipe":
		reply, later := actor.ReplyLater[Seen](ctx)
		l.later = append(l.later, reply)
		actor.Pipe(ctx, func(ctx context.Context) Hear {
			return Hear{What: fmt.Sprint("reply ", ctx.Value(senderKey{}))}
		})
		return Seen{}, later, true
	case "pipe that panics":
		_, later := actor.ReplyLater[Seen](ctx)
		actor.Pipe(ctx, func(context.Context) Hear { panic("no tea") })
		return Seen{}, later, true
	case "timer":
		reply, later := actor.ReplyLater[Seen](ctx)
		l.later = append(l.later, reply)
		actor.After(ctx, 100*time.Millisecond, Hear{What: "reply by timer"})
		return Seen{}, later, true
	case "stash":
		if !l.stashed {
			l.stashed = true
			actor.After(ctx, 100*time.Millisecond, Hear{What: "unstash"})
			return Seen{}, ctx.Stash(), true
		}
		l.stashed = false
		return Seen{Text: "unstashed, " + l.describe(ctx)}, nil, true
	}
	return Seen{}, nil, false
}

func (l *lab) hear(ctx *actor.Context, m Hear) error {
	switch {
	case m.What == "look around":
		l.acts.add("looks around: %s", l.describe(ctx))
	case m.What == "unstash":
		ctx.Unstash()
	case strings.HasPrefix(m.What, "reply"):
		l.later[0].Send(Seen{Text: m.What}, nil)
		l.later = l.later[1:]
	case m.What == "beat":
		actor.After(ctx, 100*time.Millisecond, Hear{What: "look around"})
	case m.What == "stash":
		if !l.stashed {
			l.stashed = true
			actor.After(ctx, 100*time.Millisecond, Hear{What: "unstash"})
			return ctx.Stash()
		}
		l.stashed = false
		l.acts.add("unstashed: %s", l.describe(ctx))
	case m.What == "pipe":
		actor.Pipe(ctx, func(context.Context) Hear { return Hear{What: "look around"} })
	default:
		l.acts.add("told: %v", m.Cargo)
		_, err := l.do(ctx, Do{What: m.What, Cargo: m.Cargo})
		return err
	}
	return nil
}

func (l *lab) event(ctx *actor.Context, m topic.Message[Lab, Cargo]) (topic.Ack, error) {
	l.acts.add("event: %v, %s", m.Value, l.describe(ctx))
	return topic.Ack{}, nil
}
