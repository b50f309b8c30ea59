package chaos

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/topic"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/mailbox"
)

// TestNearAndFarMeanTheSame sends everything to actors of node-1, from node-1 and from
// node-0, and compares what senders and actors see: to the text of an error.
func TestNearAndFarMeanTheSame(t *testing.T) {
	dirs := []string{clustertest.TempDir(t), clustertest.TempDir(t)}
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		dead := new(transcript)
		for i, dir := range dirs {
			c.Start(fmt.Sprint("node-", i), cluster.WithStateDir(dir), cluster.WithActors(actor.WithDeadLetters(dead.letter)))
		}
		c.AwaitMembers(2)
		for _, trial := range trials() {
			t.Run(trial.name, func(t *testing.T) {
				near := trial.at(t, c, dead, c.Node(1))
				far := trial.at(t, c, dead, c.Node(0))
				if near != far {
					t.Errorf("near:\n%s\nfar:\n%s", near, far)
				}
				if near == "" {
					t.Error("nothing was seen")
				}
			})
		}
	})
}

// transcript is what was seen in one trial.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

func (s *transcript) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *transcript) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.lines, "\n")
	s.lines = nil
	return text
}

func (s *transcript) letter(d actor.DeadLetter) {
	s.add("dead letter %s: %s", d.Name, failureText(d.Reason))
}

// failureText is all that a program can see of an error, but its paths and incarnations.
func failureText(err error) string {
	if err == nil {
		return "no error"
	}
	e, ok := err.(*actor.Error)
	if !ok {
		return fmt.Sprintf("%T: %v", err, err)
	}
	text := []rune(e.Message)
	is := ""
	for name, target := range map[string]error{"canceled": context.Canceled, "overdue": context.DeadlineExceeded, "sold out": errSoldOut, "the sender's": errSender} {
		if errors.Is(err, target) {
			is += " is " + name
		}
	}
	return fmt.Sprintf("%v, reason %q, not run %v%s: %s", e.Code, e.Reason, e.NotRun, is, string(text[:min(len(text), 300)]))
}

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
	seen    *transcript
	later   []*actor.Reply[Seen]
	stashed bool
	beats   int
}

func (w *world) define(name string, options ...actor.DefineOption) actor.Definition[Lab] {
	return actor.Define(name, func() *lab { return &lab{seen: w.seen} },
		actor.OnCall((*lab).do), actor.OnCast((*lab).hear), actor.OnCall((*lab).event)).With(options...)
}

func (l *lab) Terminated(_ *actor.Context, e actor.Terminated) {
	l.seen.add("%v has ended: %s", e.Who, failureText(e.Reason))
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
		l.seen.add("the handler ends: %v by %v", ctx.Err(), context.Cause(ctx))
		return Seen{}, ctx.Err()
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
	case "reply later":
		reply, later := actor.ReplyLater[Seen](ctx)
		go reply.Send(Seen{Text: "later"}, nil)
		return Seen{}, later
	case "fail later":
		reply, later := actor.ReplyLater[Seen](ctx)
		go reply.Send(Seen{Text: "later"}, errSoldOut)
		return Seen{}, later
	case "reply twice":
		reply, later := actor.ReplyLater[Seen](ctx)
		reply.Send(Seen{Text: "first"}, nil)
		reply.Send(Seen{Text: "second"}, errSoldOut)
		return Seen{Text: "third"}, later
	case "reply something else":
		_, later := actor.ReplyLater[int](ctx)
		return Seen{}, later
	case "never reply":
		_, later := actor.ReplyLater[Seen](ctx)
		return Seen{}, later
	case "pipe":
		reply, later := actor.ReplyLater[Seen](ctx)
		l.later = append(l.later, reply)
		actor.Pipe(ctx, func(ctx context.Context) Hear {
			return Hear{What: fmt.Sprint("reply ", ctx.Value(senderKey{}))}
		})
		return Seen{}, later
	case "pipe that panics":
		reply, later := actor.ReplyLater[Seen](ctx)
		_ = reply
		actor.Pipe(ctx, func(context.Context) Hear { panic("no tea") })
		return Seen{}, later
	case "timer":
		reply, later := actor.ReplyLater[Seen](ctx)
		l.later = append(l.later, reply)
		actor.After(ctx, time.Second, Hear{What: "reply by timer"})
		return Seen{}, later
	case "stash":
		if !l.stashed {
			l.stashed = true
			actor.After(ctx, time.Second, Hear{What: "unstash"})
			return Seen{}, ctx.Stash()
		}
		l.stashed = false
		return Seen{Text: "unstashed, " + l.describe(ctx)}, nil
	case "child":
		child, err := actor.Spawn(ctx, actor.Define("child", func() *lab { return &lab{seen: l.seen} }, actor.OnCall((*lab).do)), actor.WithUniqueName())
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
	default:
		return Seen{}, actor.Errorf(actor.Unimplemented, "a trial of %q", m.What)
	}
	return Seen{}, nil
}

func (l *lab) hear(ctx *actor.Context, m Hear) error {
	switch {
	case m.What == "look around":
		l.seen.add("told: %s", l.describe(ctx))
	case m.What == "unstash":
		ctx.Unstash()
	case strings.HasPrefix(m.What, "reply"):
		l.later[0].Send(Seen{Text: m.What}, nil)
		l.later = l.later[1:]
	case m.What == "beat":
		actor.After(ctx, time.Second, Hear{What: "look around"})
	case m.What == "stash":
		if !l.stashed {
			l.stashed = true
			actor.After(ctx, time.Second, Hear{What: "unstash"})
			return ctx.Stash()
		}
		l.stashed = false
		l.seen.add("unstashed: %s", l.describe(ctx))
	case m.What == "pipe":
		actor.Pipe(ctx, func(context.Context) Hear { return Hear{What: "look around"} })
	default:
		l.seen.add("told: %v", m.Cargo)
		_, err := l.do(ctx, Do{What: m.What, Cargo: m.Cargo})
		return err
	}
	return nil
}

func (l *lab) event(ctx *actor.Context, m topic.Message[Lab, Cargo]) (topic.Ack, error) {
	l.seen.add("event: %v, %s", m.Value, l.describe(ctx))
	return topic.Ack{}, nil
}

// world is one run of a trial.
type world struct {
	t          *testing.T
	from, home *cluster.Node
	place      string
	seen       *transcript
}

type trial struct {
	name string
	run  func(w *world)
}

var incarnation = regexp.MustCompile(`#[0-9a-z]+`)

// at returns what is seen when node from sends.
func (tr trial) at(t *testing.T, c *clustertest.Cluster, dead *transcript, from *cluster.Node) string {
	w := &world{t: t, from: from, home: c.Node(1), place: "far", seen: new(transcript)}
	if w.from == w.home {
		w.place = "near"
	}
	tr.run(w)
	elapse(5 * time.Second)
	synctest.Wait()
	text := w.seen.take() + "\n" + dead.take()
	text = incarnation.ReplaceAllString(strings.ReplaceAll(text, w.place, "place"), "#")
	return strings.ReplaceAll(text, w.from.Name()+"/asker", "node/asker")
}

func elapse(d time.Duration) { <-time.After(d) }

// spawn returns a Ref, as the sender has it, to a new actor at home.
func (w *world) spawn(name string, options ...actor.DefineOption) actor.Ref[Lab] {
	w.t.Helper()
	ref, err := actor.Spawn(w.home.System(), w.define(name+"-"+w.place, options...), actor.WithUniqueName())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.resolve(ref.String())
}

func (w *world) resolve(path string) actor.Ref[Lab] {
	w.t.Helper()
	ref, err := actor.Resolve[Lab](w.from.System(), path)
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

// sender returns the context of a sender, with values and a deadline.
func (w *world) sender() (context.Context, context.CancelFunc) {
	ctx := context.WithValue(context.WithValue(w.t.Context(), senderKey{}, "secret"), "text", "secret") //nolint:staticcheck // a key of a basic type
	return context.WithTimeout(ctx, time.Minute)
}

func (w *world) ask(what string, ref actor.Ref[Lab], m Do) {
	ctx, cancel := w.sender()
	defer cancel()
	w.askWith(ctx, what, ref, m)
}

func (w *world) askWith(ctx context.Context, what string, ref actor.Ref[Lab], m Do) {
	w.t.Helper()
	began := time.Now()
	reply, err := actor.Ask(ctx, ref, m)
	w.seen.add("%s: %s %v, %s, after %v", what, reply.Text, reply.Cargo, failureText(err), time.Since(began).Round(time.Second))
}

// told records what became of a message that was told: what could not be queued is an
// error here, and a dead letter there.
func (w *world) told(what string, err error) {
	if err != nil {
		w.seen.add("%s: %s", what, failureText(err))
	}
}

// asked is done by a request.
var asked = []string{
	"answer", "look around", "plain error", "coded error", "error with a reason", "wrapped error", "bare code",
	"error of a call that did not run", "nil error", "end of another context", "cancellation", "long error", "panic",
	"panic with an error", "Goexit", "Fail", "reply later", "fail later", "reply twice", "reply something else",
	"never reply", "pipe", "pipe that panics", "timer", "stash", "stop", "answer",
}

// heard is done by what is told.
var heard = []string{"answer", "look around", "plain error", "panic", "Goexit", "Fail", "beat", "stash", "pipe", "stop", "look around"}

func cargoes(ref actor.Ref[Lab]) []Cargo {
	n := 7
	return []Cargo{
		{},
		{
			Flag: true, Int: -1 << 62, Small: -128, Big: 1<<64 - 1, Float: 0.1, Text: "äöü\x00", Bytes: []byte{0, 255}, List: []string{"", "b"},
			Map: map[string]int{"a": 1, "": 2}, Array: [3]int{1, 2, 3}, Pointer: &n, Inner: &Cargo{Text: "inner"},
			When: time.Date(2026, 11, 30, 1, 2, 3, 4, time.UTC), Long: time.Hour, Ref: ref, Address: ref.Address(),
		},
		{Bytes: []byte{}, List: []string{}, Map: map[string]int{}, Text: "\xff"},
	}
}

func trials() []trial {
	var all []trial
	for kind, ref := range map[string]func(*world) func(string) actor.Ref[Lab]{
		"actor": func(w *world) func(string) actor.Ref[Lab] {
			return func(string) actor.Ref[Lab] { return w.spawn("lab") }
		},
		"service":   (*world).service,
		"virtual":   (*world).virtual,
		"singleton": (*world).singleton,
	} {
		all = append(all,
			trial{kind + ", asked", func(w *world) { w.askAll(ref(w)) }},
			trial{kind + ", told", func(w *world) { w.tellAll(ref(w)) }},
			trial{kind + ", contexts that end", func(w *world) { w.contexts(ref(w)) }},
			trial{kind + ", chains", func(w *world) { w.chains(ref(w)) }},
		)
	}
	return append(all,
		trial{"guards", (*world).guards},
		trial{"nobody", (*world).nobody},
		trial{"watching", (*world).watching},
		trial{"full mailboxes", (*world).full},
		trial{"a topic", (*world).topic},
		trial{"from actors", (*world).fromActors},
	)
}

func (w *world) service() func(string) actor.Ref[Lab] {
	name := "service-" + w.place
	if err := w.home.Serve(w.define(name)); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := w.sender()
	defer cancel()
	if err := w.from.Await(ctx, func() bool { return len(w.from.Instances(name)) == 1 }); err != nil {
		w.t.Fatal(err)
	}
	return func(what string) actor.Ref[Lab] {
		// One that has stopped is served again.
		if len(w.from.Instances(name)) == 0 {
			w.service()
		}
		return cluster.Service[Lab](w.from, name)
	}
}

func (w *world) virtual() func(string) actor.Ref[Lab] {
	if err := virtual.Serve(w.home, w.define("virtual-"+w.place)); err != nil {
		w.t.Fatal(err)
	}
	return func(what string) actor.Ref[Lab] { return virtual.Ref[Lab](w.from, "virtual-"+w.place, what) }
}

func (w *world) singleton() func(string) actor.Ref[Lab] {
	if _, err := virtual.Singleton(w.home, w.define("singleton-"+w.place)); err != nil {
		w.t.Fatal(err)
	}
	return func(what string) actor.Ref[Lab] { return virtual.Ref[Lab](w.from, "singleton-"+w.place, "") }
}

func (w *world) askAll(ref func(string) actor.Ref[Lab]) {
	for _, what := range asked {
		w.ask(what, ref(what), Do{What: what})
		elapse(time.Second) // it may restart, or end
	}
	for _, cargo := range cargoes(ref("answer")) {
		w.ask("cargo", ref("answer"), Do{What: "answer", Cargo: cargo})
	}
	ctx, cancel := w.sender()
	defer cancel()
	reply, err := actor.Ask(ctx, ref("answer"), &Do{What: "answer", Cargo: cargoes(ref("answer"))[1]})
	w.seen.add("pointer: %v, %s", reply, failureText(err))
	reply, err = actor.Ask(ctx, ref("answer"), (*Do)(nil))
	w.seen.add("nil: %v, %s", reply, failureText(err))
	reply, err = actor.Ask(ctx, ref("answer"), Unanswered{})
	w.seen.add("without a handler: %v, %s", reply, failureText(err))
}

func (w *world) tellAll(ref func(string) actor.Ref[Lab]) {
	ctx, cancel := w.sender()
	defer cancel()
	for _, what := range heard {
		for range 2 {
			w.told(what, actor.Tell(ref(what), Hear{What: what}))
			w.told(what, actor.TellContext(ctx, ref(what), &Hear{What: what}))
			elapse(2 * time.Second)
		}
	}
	for _, cargo := range cargoes(ref("answer")) {
		w.told("cargo", actor.Tell(ref("answer"), Hear{What: "answer", Cargo: cargo}))
	}
	w.told("nil", actor.Tell(ref("answer"), (*Hear)(nil)))
	w.told("without a handler", actor.Tell(ref("answer"), Unheard{}))
	w.told("a request", actor.Tell(ref("answer"), Do{What: "answer"}))
	elapse(time.Second)
}

func (w *world) contexts(ref func(string) actor.Ref[Lab]) {
	ctx, cancel := w.sender()
	defer cancel()
	ended, cancel := context.WithCancelCause(ctx)
	cancel2 := cancel
	_ = cancel2
	endedNow := func(cause error) context.Context {
		c, end := context.WithCancelCause(ctx)
		end(cause)
		return c
	}
	_ = ended
	w.askWith(endedNow(errSender), "canceled before", ref("a"), Do{What: "answer"})
	w.told("told, canceled before", actor.TellContext(endedNow(errSender), ref("a"), Hear{What: "answer"}))
	overdue, stop := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer stop()
	w.askWith(overdue, "overdue before", ref("a"), Do{What: "answer"})
	w.told("told, overdue before", actor.TellContext(overdue, ref("a"), Hear{What: "answer"}))

	during, end := context.WithCancelCause(ctx)
	time.AfterFunc(time.Second, func() { end(errSender) })
	w.askWith(during, "canceled while it is handled", ref("a"), Do{What: "wait"})
	soon, stop := context.WithTimeoutCause(ctx, time.Second, errSender)
	defer stop()
	w.askWith(soon, "overdue while it is handled", ref("a"), Do{What: "wait"})
	w.askWith(context.WithValue(context.Background(), senderKey{}, "secret"), "without a deadline", ref("a"), Do{What: "look around"})
	elapse(time.Second)

	// Given up while it waits for its turn.
	w.told("block", actor.Tell(ref("a"), Hear{What: "block"}))
}

func (w *world) chains(ref func(string) actor.Ref[Lab]) {
	a, b := ref("a"), w.spawn("b")
	for what, m := range map[string]Do{
		"itself":       {What: "ask", To: []actor.Ref[Lab]{a}},
		"back":         {What: "ask", To: []actor.Ref[Lab]{b, a}},
		"by a child":   {What: "child", To: []actor.Ref[Lab]{a}},
		"not waiting":  {What: "ask aside", To: []actor.Ref[Lab]{b, a}},
		"to another":   {What: "ask", To: []actor.Ref[Lab]{b}},
		"aside itself": {What: "ask aside", To: []actor.Ref[Lab]{a}},
	} {
		_ = what
		_ = m
	}
	w.ask("itself", a, Do{What: "ask", To: []actor.Ref[Lab]{a}})
	w.ask("back", a, Do{What: "ask", To: []actor.Ref[Lab]{b, a}})
	w.ask("by a child", a, Do{What: "child", To: []actor.Ref[Lab]{a}})
	w.ask("not waiting", a, Do{What: "ask aside", To: []actor.Ref[Lab]{b, a}})
	w.ask("aside itself", a, Do{What: "ask aside", To: []actor.Ref[Lab]{a}})
	w.ask("to another", a, Do{What: "ask", To: []actor.Ref[Lab]{b}})
}

func (w *world) guards() {
	for what, guard := range map[string]func() error{
		"refuses": func() error { return errSoldOut }, "panics": func() error { panic("no coffee") }, "leaves": func() error { runtime.Goexit(); return nil },
	} {
		_, _ = what, guard
	}
	w.guard("refuses", func() error { return errSoldOut })
	w.guard("panics", func() error { panic("no coffee") })
	w.guard("leaves", func() error { runtime.Goexit(); return nil })
}

func (w *world) guard(what string, guard func() error) {
	ref := w.spawn("guarded", actor.Guard(guard))
	w.ask("a guard that "+what, ref, Do{What: "answer"})
	w.told("a guard that "+what, actor.Tell(ref, Hear{What: "answer"}))
}

// nobody is there any more, or never was.
func (w *world) nobody() {
	ctx, cancel := w.sender()
	defer cancel()
	gone := w.spawn("gone")
	_, uid, err := actor.ParsePath(strings.TrimPrefix(gone.String(), "actor://node-1/"))
	if err != nil {
		w.t.Fatal(err)
	}
	path, _, _ := strings.Cut(gone.String(), "#")
	if err := w.home.System().StopActor(ctx, must(actor.Resolve[Lab](w.home.System(), gone.String()))); err != nil {
		w.t.Fatal(err)
	}
	for what, ref := range map[string]actor.Ref[Lab]{"an actor that has stopped": gone, "its name": w.resolve(path), "nobody": w.resolve("actor://node-1/nobody"), "former": w.resolve(actor.FormatPath("actor://node-1/nobody", uid))} {
		_ = what
		w.ask("asked", ref, Do{What: "answer"})
		w.told("told", actor.Tell(ref, Hear{What: "answer"}))
		elapse(time.Second)
	}
	w.ask("the zero Ref", actor.Ref[Lab]{}, Do{What: "answer"})
	w.ask("no service", cluster.Service[Lab](w.from, "nobody"), Do{What: "answer"})
	w.told("no service", actor.Tell(cluster.Service[Lab](w.from, "nobody"), Hear{What: "answer"}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// asker starts an actor on the sender's node.
func (w *world) asker() actor.Ref[Lab] {
	w.t.Helper()
	ref, err := actor.Spawn(w.from.System(), actor.Define("asker", func() *lab { return &lab{seen: w.seen} },
		actor.OnCall((*lab).do), actor.OnCast((*lab).hear), actor.OnCall((*lab).run)), actor.WithUniqueName())
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

// Run is for the asker, and does not travel.
type Run struct {
	actor.Call[Lab, Seen]
	F func(*actor.Context)
}

func (l *lab) run(ctx *actor.Context, m Run) (Seen, error) { m.F(ctx); return Seen{}, nil }

func (w *world) in(asker actor.Ref[Lab], f func(*actor.Context)) {
	w.t.Helper()
	if _, err := actor.Ask(w.t.Context(), asker, Run{F: f}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) watching() {
	asker := w.asker()
	stops, fails := w.spawn("stops"), w.spawn("fails", actor.Supervised(actor.Supervision{Decide: func(any) actor.Directive { return actor.Stop }}))
	w.in(asker, func(ctx *actor.Context) {
		for what, ref := range map[string]actor.Ref[Lab]{"one": stops, "again": stops} {
			_ = what
			w.seen.add("watch: %s", failureText(ctx.Watch(ref)))
		}
		w.seen.add("watch: %s", failureText(ctx.Watch(fails)))
	})
	elapse(time.Second)
	w.ask("stop", stops, Do{What: "stop"})
	w.ask("fail", fails, Do{What: "panic"})
	elapse(time.Second)
	w.in(asker, func(ctx *actor.Context) {
		w.seen.add("watch what has stopped: %s", failureText(ctx.Watch(stops)))
		w.seen.add("watch nobody: %s", failureText(ctx.Watch(w.resolve("actor://node-1/nobody"))))
		w.seen.add("watch a service: %s", failureText(ctx.Watch(cluster.Service[Lab](w.from, "lab"))))
		w.seen.add("watch a virtual actor: %s", failureText(ctx.Watch(virtual.Ref[Lab](w.from, "lab", "x"))))
		w.seen.add("watch the zero Ref: %s", failureText(ctx.Watch(actor.Ref[Lab]{})))
	})
}

func (w *world) full() {
	ref := w.spawn("narrow", actor.BoundedMailbox(1, mailbox.Reject))
	w.crowd("rejecting", ref)
	ref = w.spawn("narrow", actor.BoundedMailbox(1, mailbox.DropOldest))
	w.crowd("dropping", ref)
}

func (w *world) crowd(what string, ref actor.Ref[Lab]) {
	waiting, end := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer end()
	var all sync.WaitGroup
	all.Go(func() { w.askWith(waiting, what+", handled", ref, Do{What: "wait"}) })
	elapse(time.Second)
	all.Go(func() { w.ask(what+", in the mailbox", ref, Do{What: "answer"}) })
	elapse(time.Second)
	w.told(what+", told", actor.Tell(ref, Hear{What: "answer"}))
	elapse(time.Second)
	all.Go(func() { w.ask(what+", one too many", ref, Do{What: "answer"}) })
	elapse(time.Second)
	end()
	all.Wait()
}

func (w *world) topic() {
	name := "events." + w.place
	ref := w.spawn("subscriber")
	ctx, cancel := w.sender()
	defer cancel()
	if _, err := topic.SubscribeActor(ctx, topic.Of[Cargo](w.home, name), must(actor.Resolve[Lab](w.home.System(), ref.String()))); err != nil {
		w.t.Fatal(err)
	}
	elapse(5 * time.Second)
	for _, cargo := range cargoes(ref) {
		w.told("publish", topic.Of[Cargo](w.from, name).Publish(ctx, cargo))
		elapse(time.Second)
	}
	w.told("another type", topic.Of[Seen](w.from, name).Publish(ctx, Seen{}))
	ended, end := context.WithCancelCause(ctx)
	end(errSender)
	w.told("canceled", topic.Of[Cargo](w.from, name).Publish(ended, Cargo{}))
	elapse(time.Second)
}

func (w *world) fromActors() {
	asker, ref := w.asker(), w.spawn("lab")
	w.in(asker, func(ctx *actor.Context) {
		for _, what := range []string{"look around", "error with a reason", "panic"} {
			w.askWith(ctx, what, ref, Do{What: what})
		}
		w.told("told", actor.TellContext(ctx, ref, Hear{What: "look around"}))
		elapse(time.Second)
		w.askWith(ctx, "back", ref, Do{What: "ask", To: []actor.Ref[Lab]{actor.Self[Lab](ctx)}})
	})
	w.ask("piped", asker, Do{What: "ask aside", To: []actor.Ref[Lab]{ref, asker}})
}
