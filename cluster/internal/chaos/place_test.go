package chaos

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"slices"
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
		for i, trial := range trials() {
			near, far := trial.at(t, c, dead, c.Node(1), i), trial.at(t, c, dead, c.Node(0), i)
			if len(near) < 2 {
				t.Errorf("%s: nothing was seen", trial.name)
			}
			if trial.differs {
				if slices.Equal(near, far) {
					t.Errorf("%s is the same everywhere by now: %q", trial.name, near)
				}
				continue
			}
			for at := range max(len(near), len(far)) {
				if n, f := line(near, at), line(far, at); n != f {
					t.Errorf("%s\nnear: %s\nfar:  %s", trial.name, n, f)
				}
			}
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

func (s *transcript) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

func line(lines []string, at int) string {
	if at < len(lines) {
		return lines[at]
	}
	return "nothing more"
}

func (s *transcript) letter(d actor.DeadLetter) {
	s.add("lost %s: %s", d.Name, failureText(d.Reason))
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
	is := ""
	for _, target := range []error{context.Canceled, context.DeadlineExceeded, errSoldOut, errSender, e.Code} {
		if errors.Is(err, target) {
			is += fmt.Sprintf(", is %q", target)
		}
	}
	text := []rune(e.Message) // a long one is cut on its way
	return fmt.Sprintf("%v, reason %q, not run %v%s: %s", e.Code, e.Reason, e.NotRun, is, string(text[:min(len(text), 1000)]))
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
	beats   int
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
		_, later := actor.ReplyLater[Seen](ctx)
		actor.Pipe(ctx, func(context.Context) Hear { panic("no tea") })
		return Seen{}, later
	case "timer":
		reply, later := actor.ReplyLater[Seen](ctx)
		l.later = append(l.later, reply)
		actor.After(ctx, 100*time.Millisecond, Hear{What: "reply by timer"})
		return Seen{}, later
	case "stash":
		if !l.stashed {
			l.stashed = true
			actor.After(ctx, 100*time.Millisecond, Hear{What: "unstash"})
			return Seen{}, ctx.Stash()
		}
		l.stashed = false
		return Seen{Text: "unstashed, " + l.describe(ctx)}, nil
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
	default:
		return Seen{}, actor.Errorf(actor.Unimplemented, "a trial of %q", m.What)
	}
	return Seen{}, nil
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

// world is one run of a trial.
type world struct {
	t          *testing.T
	from, home *cluster.Node
	place      string
	seen       *transcript // by the sender
	acts       *transcript // of actors
	dead       *transcript // letters
	index      int         // of the trial
	count      int         // of its actors
}

// name returns one that no other actor has.
func (w *world) name(name string) string {
	w.count++
	return fmt.Sprintf("%s-%d-%d%s", name, w.index, w.count, w.place)
}

type trial struct {
	name string
	run  func(w *world)
	// differs is for what cannot be the same: a message has a size where it is encoded.
	differs bool
}

var incarnation = regexp.MustCompile(`#[0-9a-z]+`)

// at returns what is seen when node from sends.
func (tr trial) at(t *testing.T, c *clustertest.Cluster, dead *transcript, from *cluster.Node, index int) []string {
	w := &world{index: index, dead: dead, t: t, from: from, home: c.Node(1), place: "-far", seen: new(transcript), acts: new(transcript)}
	if w.from == w.home {
		w.place = "-near"
	}
	tr.run(w)
	elapse(5 * time.Second)
	synctest.Wait()
	lost := dead.take() // in no order
	slices.Sort(lost)
	lines := slices.Concat(w.seen.take(), w.acts.take(), lost)
	for i, l := range lines {
		l = incarnation.ReplaceAllString(strings.ReplaceAll(l, w.place, ""), "#")
		lines[i] = strings.ReplaceAll(l, w.from.Name()+"/asker", "node/asker")
	}
	return lines
}

func elapse(d time.Duration) { <-time.After(d) }

// spawn returns a Ref, as the sender has it, to a new actor at home.
func (w *world) spawn(name string, options ...actor.DefineOption) actor.Ref[Lab] {
	w.t.Helper()
	ref, err := actor.Spawn(w.home.System(), w.define(w.name(name), options...))
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
	return context.WithTimeout(ctx, 10*time.Second)
}

func (w *world) ask(what string, ref actor.Ref[Lab], m Do) {
	ctx, cancel := w.sender()
	defer cancel()
	w.askWith(ctx, what, ref, m)
}

func (w *world) askWith(ctx context.Context, what string, ref actor.Ref[Lab], m Do) {
	w.seen.add("%s: %s", what, outcome(ctx, ref, m))
}

func outcome(ctx context.Context, ref actor.Ref[Lab], m Do) string {
	began := time.Now()
	reply, err := actor.Ask(ctx, ref, m)
	return fmt.Sprintf("%s %v, %s, after %v", reply.Text, reply.Cargo, failureText(err), time.Since(began).Round(time.Second))
}

// tell tells a message. What is found to be lost at once on one node may have been on its
// way to another one, and so be a dead letter there: that is the same here.
func tell[M actor.Message[Lab]](w *world, ref actor.Ref[Lab], m M) {
	w.lost(m, actor.Tell(ref, m))
	elapse(300 * time.Millisecond)
}

func tellContext[M actor.Message[Lab]](ctx context.Context, w *world, ref actor.Ref[Lab], m M) {
	w.lost(m, actor.TellContext(ctx, ref, m))
	elapse(300 * time.Millisecond)
}

func (w *world) lost(m any, err error) {
	if err != nil {
		w.dead.add("lost %s: %s", strings.TrimPrefix(fmt.Sprintf("%T", m), "*"), failureText(err))
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
	for _, kind := range []struct {
		name string
		ref  func(*world) func(string) actor.Ref[Lab]
	}{{"actor", (*world).plain}, {"service", (*world).service}, {"virtual", (*world).virtual}, {"singleton", (*world).singleton}} {
		all = append(all,
			trial{name: kind.name + ", asked", run: func(w *world) { w.askAll(kind.ref(w)) }},
			trial{name: kind.name + ", told", run: func(w *world) { w.tellAll(kind.ref(w)) }},
			trial{name: kind.name + ", contexts that end", run: func(w *world) { w.contexts(kind.ref(w)) }},
			trial{name: kind.name + ", chains", run: func(w *world) { w.chains(kind.ref(w)) }},
		)
	}
	return append(all,
		trial{name: "guards", run: (*world).guards},
		trial{name: "nobody", run: (*world).nobody},
		trial{name: "watching", run: (*world).watching},
		trial{name: "full mailboxes", run: (*world).full},
		trial{name: "a topic", run: (*world).topic},
		trial{name: "from actors", run: (*world).fromActors},
		trial{name: "what is too large", run: (*world).large, differs: true},
	)
}

// plain and what follows return what makes Refs, one for each purpose where there are
// several actors.
func (w *world) plain() func(string) actor.Ref[Lab] {
	refs := make(map[string]actor.Ref[Lab])
	return func(what string) actor.Ref[Lab] {
		if refs[what].IsZero() {
			refs[what] = w.spawn("lab")
		}
		return refs[what]
	}
}

func (w *world) service() func(string) actor.Ref[Lab] {
	name := fmt.Sprint("service-", w.index, w.place)
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
		if len(w.home.Instances(name)) == 0 {
			w.service()
			elapse(2 * time.Second)
		}
		return cluster.Service[Lab](w.from, name)
	}
}

func (w *world) virtual() func(string) actor.Ref[Lab] {
	name := w.name("virtual")
	if err := virtual.Serve(w.home, w.define(name)); err != nil {
		w.t.Fatal(err)
	}
	return w.awake(func(what string) actor.Ref[Lab] { return virtual.Ref[Lab](w.from, name, what) })
}

func (w *world) singleton() func(string) actor.Ref[Lab] {
	name := w.name("singleton")
	if _, err := virtual.Singleton(w.home, w.define(name)); err != nil {
		w.t.Fatal(err)
	}
	return w.awake(func(string) actor.Ref[Lab] { return virtual.Ref[Lab](w.from, name, "") })
}

// awake waits until a kind is served.
func (w *world) awake(ref func(string) actor.Ref[Lab]) func(string) actor.Ref[Lab] {
	ctx, cancel := w.sender()
	defer cancel()
	if _, err := actor.Ask(ctx, ref("first"), Do{What: "answer"}); err != nil {
		w.t.Fatal(err)
	}
	return ref
}

func (w *world) askAll(ref func(string) actor.Ref[Lab]) {
	for _, what := range asked {
		w.ask(what, ref(what), Do{What: what})
		elapse(200 * time.Millisecond) // it may restart, or end
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
		tell(w, ref(what), Hear{What: what})
		tellContext(ctx, w, ref(what), &Hear{What: what})
	}
	for _, cargo := range cargoes(ref("answer")) {
		tell(w, ref("answer"), Hear{What: "answer", Cargo: cargo})
	}
	tell(w, ref("answer"), (*Hear)(nil))
	tell(w, ref("answer"), Unheard{})
	tell(w, ref("answer"), Do{What: "answer"})
}

func (w *world) contexts(ref func(string) actor.Ref[Lab]) {
	ctx, cancel := w.sender()
	defer cancel()
	endedNow := func(cause error) context.Context {
		c, end := context.WithCancelCause(ctx)
		end(cause)
		return c
	}
	w.askWith(endedNow(errSender), "canceled before", ref("a"), Do{What: "answer"})
	tellContext(endedNow(errSender), w, ref("a"), Hear{What: "answer"})
	overdue, stop := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer stop()
	w.askWith(overdue, "overdue before", ref("a"), Do{What: "answer"})
	tellContext(overdue, w, ref("a"), Hear{What: "answer"})

	during, end := context.WithCancelCause(ctx)
	time.AfterFunc(time.Second, func() { end(errSender) })
	w.askWith(during, "canceled while it is handled", ref("a"), Do{What: "wait"})
	soon, stop := context.WithTimeoutCause(ctx, time.Second, errSender)
	defer stop()
	w.askWith(soon, "overdue while it is handled", ref("a"), Do{What: "wait"})
	w.askWith(context.WithValue(context.Background(), senderKey{}, "secret"), "without a deadline", ref("a"), Do{What: "look around"})
}

func (w *world) chains(ref func(string) actor.Ref[Lab]) {
	a, b := ref("a"), w.spawn("b")
	w.ask("itself", a, Do{What: "ask", To: []actor.Ref[Lab]{a}})
	w.ask("back", a, Do{What: "ask", To: []actor.Ref[Lab]{b, a}})
	w.ask("by a child", a, Do{What: "child", To: []actor.Ref[Lab]{a}})
	w.ask("not waiting", a, Do{What: "ask aside", To: []actor.Ref[Lab]{b, a}})
	w.ask("aside itself", a, Do{What: "ask aside", To: []actor.Ref[Lab]{a}})
	w.ask("to another", a, Do{What: "ask", To: []actor.Ref[Lab]{b}})
}

func (w *world) guards() {
	w.guard("refuses", func() error { return errSoldOut })
	w.guard("panics", func() error { panic("no coffee") })
	w.guard("leaves", func() error { runtime.Goexit(); return nil })
}

func (w *world) guard(what string, guard func() error) {
	ref := w.spawn("guarded", actor.Guard(guard))
	w.ask("a guard that "+what, ref, Do{What: "answer"})
	tell(w, ref, Hear{What: "answer"})
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
	for _, ref := range []actor.Ref[Lab]{gone, w.resolve(path), w.resolve("actor://node-1/nobody"), w.resolve(actor.FormatPath("actor://node-1/nobody", uid))} {
		w.ask("asked", ref, Do{What: "answer"})
		tell(w, ref, Hear{What: "answer"})
	}
	w.ask("the zero Ref", actor.Ref[Lab]{}, Do{What: "answer"})
	w.ask("no service", cluster.Service[Lab](w.from, "nobody"), Do{What: "answer"})
	tell(w, cluster.Service[Lab](w.from, "nobody"), Hear{What: "answer"})
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
	ref, err := actor.Spawn(w.from.System(), actor.Define("asker", func() *lab { return &lab{acts: w.acts} },
		actor.OnCall((*lab).do), actor.OnCast((*lab).hear), actor.OnCall((*lab).run)), actor.WithName(w.name("asker")))
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
		for _, ref := range []actor.Ref[Lab]{stops, stops, fails} {
			w.seen.add("watch: %s", failureText(ctx.Watch(ref)))
		}
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
	handled, end := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer end()
	ctx, cancel := w.sender()
	defer cancel()
	var first, second, third string
	var all sync.WaitGroup
	all.Go(func() { first = outcome(handled, ref, Do{What: "wait"}) })
	elapse(time.Second)
	all.Go(func() { second = outcome(ctx, ref, Do{What: "answer"}) })
	elapse(time.Second)
	tell(w, ref, Hear{What: "answer"})
	all.Go(func() { third = outcome(ctx, ref, Do{What: "answer"}) })
	elapse(time.Second)
	end()
	all.Wait()
	w.seen.add("%s: handled %s; in the mailbox %s; one too many %s", what, first, second, third)
}

func (w *world) topic() {
	name := "events" + w.place
	ref := w.spawn("subscriber")
	ctx, cancel := w.sender()
	defer cancel()
	if _, err := topic.SubscribeActor(ctx, topic.Of[Cargo](w.home, name), must(actor.Resolve[Lab](w.home.System(), ref.String()))); err != nil {
		w.t.Fatal(err)
	}
	elapse(5 * time.Second)
	for _, cargo := range cargoes(ref) {
		w.published("publish", topic.Of[Cargo](w.from, name).Publish(ctx, cargo))
		elapse(time.Second)
	}
	w.published("another type", topic.Of[Seen](w.from, name).Publish(ctx, Seen{}))
	ended, end := context.WithCancelCause(ctx)
	end(errSender)
	w.published("canceled", topic.Of[Cargo](w.from, name).Publish(ended, Cargo{}))
	elapse(time.Second)
}

func (w *world) published(what string, err error) { w.seen.add("%s: %s", what, failureText(err)) }

// large sends what is larger than links carry.
func (w *world) large() {
	ref := w.spawn("lab")
	cargo := Cargo{Bytes: make([]byte, 5<<20)}
	ctx, cancel := w.sender()
	defer cancel()
	_, err := actor.Ask(ctx, ref, Do{What: "answer", Cargo: cargo})
	w.seen.add("asked: %s", failureText(err))
	w.seen.add("told: %s", failureText(actor.Tell(ref, Hear{What: "pipe", Cargo: cargo})))
}

func (w *world) fromActors() {
	asker, ref := w.asker(), w.spawn("lab")
	w.in(asker, func(ctx *actor.Context) {
		for _, what := range []string{"look around", "error with a reason", "panic"} {
			w.askWith(ctx, what, ref, Do{What: what})
		}
		tellContext(ctx, w, ref, Hear{What: "look around"})
		w.askWith(ctx, "back", ref, Do{What: "ask", To: []actor.Ref[Lab]{actor.Self[Lab](ctx)}})
	})
	w.ask("piped", asker, Do{What: "ask aside", To: []actor.Ref[Lab]{ref, asker}})
}
