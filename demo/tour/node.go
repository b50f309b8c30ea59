package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// How the tour talks to the processes it starts: what they are, by environment;
// what they shall do, as lines to their standard input; what they see, as lines
// from their standard output.
const (
	nodeEnv    = "TOUR_NODE"
	verboseEnv = "TOUR_VERBOSE"

	leaveCommand = "leave"

	addressLine = "address" // its "ip:port"
	membersLine = "members" // the names of all members, whenever they change
	leftLine    = "left"    // Leave has returned
)

// live is the life of one node process. It ends when it is told to leave, or the
// tour is gone.
func live(name string) error {
	signal.Ignore(os.Interrupt) // Ctrl-C is for the tour, which sends us home
	ctx := context.Background()
	node, err := cluster.Join(ctx, cluster.WithName(name), cluster.WithLogger(newLogger(os.Getenv(verboseEnv) != "")))
	if err != nil {
		return err
	}
	if err := node.Serve(workers(name), ledgers()); err != nil {
		return err
	}
	var out output
	out.line(addressLine, node.Address())
	var watching sync.WaitGroup
	watching.Go(func() { tellMembers(ctx, node, &out) })

	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != leaveCommand; {
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err = node.Leave(ctx)
	watching.Wait()
	out.line(leftLine)
	return err
}

// tellMembers writes down who the members are, whenever that changes.
func tellMembers(ctx context.Context, node *cluster.Node, out *output) {
	var last string
	for {
		var now string
		err := node.Await(ctx, func() bool {
			var names []string
			for _, m := range node.Members() {
				names = append(names, m.Name)
			}
			now = strings.Join(names, " ")
			return now != last
		})
		if err != nil {
			return // the node has left
		}
		last = now
		out.line(membersLine, now)
	}
}

// output lets two goroutines write lines.
type output struct{ mu sync.Mutex }

func (o *output) line(words ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Println(strings.Join(words, " "))
}

// worker works, one message at a time.
type worker struct{ node string }

func workers(node string) actor.Definition[Worker] {
	return actor.Define("worker", func() *worker { return &worker{node: node} },
		actor.OnCall((*worker).work),
		actor.OnCall((*worker).workSafely))
}

func (w *worker) work(ctx *actor.Context, m Work) (Done, error) {
	return w.done(ctx, m.Takes)
}

func (w *worker) workSafely(ctx *actor.Context, m SafeWork) (Done, error) {
	return w.done(ctx, m.Takes)
}

func (w *worker) done(ctx *actor.Context, takes time.Duration) (Done, error) {
	if takes > 0 {
		if err := pause(ctx, takes); err != nil {
			return Done{}, err
		}
	}
	return Done{Node: w.node}, nil
}

// ledger checks that the numbers it is told come as 0, 1, 2 and so on.
type ledger struct {
	next int
	seen Audited
}

func ledgers() actor.Definition[Ledger] {
	return actor.Define("ledger", func() *ledger { return new(ledger) },
		actor.OnCast((*ledger).entry),
		actor.OnCall((*ledger).audit))
}

func (l *ledger) entry(_ *actor.Context, m Entry) error {
	l.seen.Entries++
	if m.Number != l.next {
		l.seen.Surprises++
	}
	l.next = m.Number + 1
	return nil
}

func (l *ledger) audit(*actor.Context, Audit) (Audited, error) { return l.seen, nil }
