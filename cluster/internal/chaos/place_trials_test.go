package chaos

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic"
	"github.com/troupe-go/troupe/cluster/virtual"
)

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
	ref, err := actor.Spawn(w.from.System(), actor.Define("asker", func() *lab { return &lab{acts: w.acts, turns: w.turns} },
		actor.OnCall((*lab).do), actor.OnCast((*lab).hear), actor.OnCall((*lab).run)), actor.WithName(w.name("asker")))
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

// Run lets the asker do what is next.
type Run struct{ actor.Call[Lab, Seen] }

func (l *lab) run(ctx *actor.Context, _ Run) (Seen, error) { (<-l.turns)(ctx); return Seen{}, nil }

func (w *world) in(asker actor.Ref[Lab], f func(*actor.Context)) {
	w.t.Helper()
	w.turns <- f
	if _, err := actor.Ask(w.t.Context(), asker, Run{}); err != nil {
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
	elapse(time.Second)
	w.ask("fail", fails, Do{What: "panic"})
	elapse(time.Second)
	for _, who := range []struct {
		what string
		ref  actor.Ref[Lab]
	}{
		{"what has stopped", stops}, {"nobody", w.resolve("actor://node-1/nobody")}, {"a service", cluster.Service[Lab](w.from, "lab")},
		{"a virtual actor", virtual.Ref[Lab](w.from, "lab", "x")}, {"the zero Ref", actor.Ref[Lab]{}},
	} {
		w.in(asker, func(ctx *actor.Context) { w.seen.add("watch %s: %s", who.what, failureText(ctx.Watch(who.ref))) })
		elapse(time.Second)
	}
}

func (w *world) full() {
	for _, overflow := range []string{"reject", "drop_oldest"} {
		var config actor.Config
		config.Mailbox.Capacity = 1
		if err := config.Mailbox.Overflow.UnmarshalText([]byte(overflow)); err != nil {
			w.t.Fatal(err)
		}
		w.crowd(overflow, w.spawn("narrow", config))
	}
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
