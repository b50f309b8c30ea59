package chaos

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
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

// world is one run of a trial.
type world struct {
	t          *testing.T
	from, home *cluster.Node
	place      string
	seen       *transcript               // by the sender
	acts       *transcript               // of actors
	dead       *transcript               // letters
	turns      chan func(*actor.Context) // of an asker
	index      int                       // of the trial
	count      int                       // of its actors
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
	w := &world{index: index, dead: dead, t: t, from: from, home: c.Node(1), place: "-far", seen: new(transcript), acts: new(transcript), turns: make(chan func(*actor.Context), 1)}
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
	//lint:ignore SA1029 a key of a basic type is one that another node could name
	ctx := context.WithValue(context.WithValue(w.t.Context(), senderKey{}, "secret"), "text", "secret")
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
