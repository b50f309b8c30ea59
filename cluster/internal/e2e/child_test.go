package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// A child is a node in a process of its own. Each line it reads is a tag, a
// command and arguments; when the command is done, which may take until some
// condition holds, it writes the tag, "ok" or "error", and the result as JSON.
// It leaves and exits when told by a signal, or when its parent is gone.
type child struct {
	log       *slog.Logger
	node      atomic.Pointer[cluster.Node] // once joined
	load      atomic.Pointer[load]         // the latest
	tormented tormented
	pulses    *pulses
	visitors  visitors
}

func runChild(in io.Reader, out io.Writer) int {
	options := &slog.HandlerOptions{}
	if os.Getenv("TROUPE_E2E_DEBUG") != "" {
		options.Level = slog.LevelDebug
	}
	c := &child{log: slog.New(slog.NewTextHandler(os.Stderr, options))}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	stopProfiles := startProfiles(c.log)
	defer stopProfiles()
	go func() {
		defer cancel()
		var writing sync.Mutex
		for lines := bufio.NewScanner(in); lines.Scan(); {
			words := strings.Fields(lines.Text())
			go func() {
				line := words[0] + " " + c.run(ctx, words[1], words[2:])
				writing.Lock()
				defer writing.Unlock()
				fmt.Fprintln(out, line)
			}()
		}
	}()
	<-ctx.Done()
	if c.node.Load() == nil {
		return 0
	}
	leaving, cancelLeave := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancelLeave()
	if err := c.node.Load().Leave(leaving); err != nil {
		c.log.Error("did not leave cleanly", "error", err)
		return 1
	}
	return 0
}

// run returns what follows the tag in the answer.
func (c *child) run(ctx context.Context, command string, args []string) string {
	result, err := c.do(ctx, command, args)
	if err != nil {
		text, _ := json.Marshal(err.Error())
		return "error " + string(text)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return `error "the result does not encode"`
	}
	return "ok " + string(text)
}

func (c *child) do(ctx context.Context, command string, args []string) (any, error) {
	switch command {
	case "join":
		return c.join(ctx)
	case "serve":
		return nil, c.node.Load().Serve(workers())
	case "meet": // waits until exactly the named nodes are members
		return nil, c.node.Load().Await(ctx, func() bool { return slices.Equal(c.members(), args) })
	case "addressed": // waits until a member has an IP address
		return nil, c.node.Load().Await(ctx, func() bool { return strings.HasPrefix(c.addressOf(args[0]), args[1]+":") })
	case "see": // waits until so many instances serve
		return nil, c.node.Load().Await(ctx, func() bool { return strconv.Itoa(len(c.node.Load().Instances("worker"))) == args[0] })
	case "work": // asks one node's worker, or any
		return c.work(ctx, args)
	case "hold": // asks a worker that does not answer, and returns how that ends
		return c.hold(ctx, args[0])
	case "load":
		return nil, c.startLoad(ctx, args[0])
	case "answers": // waits until the load has got so many more answers from a node
		return nil, c.load.Load().await(ctx, args[0], args[1])
	case "harvest":
		return c.load.Load().harvest(), nil
	case "usage":
		return currentUsage(), nil
	case "settle": // waits until usage is down
		return settle(ctx, args[0], args[1])
	case "floor":
		return serveFloor()
	case "torment": // starts clients that record what they do, until they rest
		return nil, c.tormented.start(c, args[0], args[1], args[2], args[3])
	case "leader": // of the replicated store, as the node knows
		return c.node.Load().Store().Leader(), nil
	case "led": // waits until there is one, and returns it
		for {
			if leader := c.node.Load().Store().Leader(); leader != "" {
				return leader, nil
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	case "beat": // serves virtual actors and a singleton
		return nil, beat(c.node.Load())
	case "feel": // begins to ask them all without pause
		c.feel()
		return nil, nil
	case "spread": // waits until all answer, some on each of the nodes, and none moves
		return nil, c.pulses.spread(ctx, args)
	case "mark":
		c.pulses.mark()
		return nil, nil
	case "moved": // waits until nothing answers on the node any more
		return c.pulses.moved(ctx, args[0])
	case "visit": // begins to ask programs by HTTP without pause
		c.visitors.visit(args)
		return nil, nil
	case "visited": // waits until everything was done so many times more
		return nil, c.visitors.await(ctx, args[0])
	case "go": // ends that, and reads what was kept
		return c.visitors.leave(), nil
	case "flee": // ends that at once
		c.visitors.flee()
		return nil, nil
	case "probe": // waits until an address answers with 200
		return probe(ctx, args[0])
	case "audit": // reads what clients have written since a time
		return nil, c.tormented.audit(ctx, args[0])
	case "rest":
		return nil, c.tormented.stop()
	case "voters": // waits until the replicated store has so many
		return nil, c.awaitVoters(ctx, args[0])
	case "write": // waits until it can write to the replicated store
		return nil, c.write(ctx)
	}
	return nil, fmt.Errorf("unknown command %q", command)
}

type joined struct{ Name, Address string }

func (c *child) join(ctx context.Context) (joined, error) {
	options := []cluster.Option{cluster.WithLogger(c.log)}
	switch os.Getenv("TROUPE_E2E_TIMING") {
	case "local":
		options = append(options, cluster.WithTiming(cluster.Local))
	case "lan":
		options = append(options, cluster.WithTiming(cluster.LAN))
	}
	if n, err := strconv.Atoi(os.Getenv("TROUPE_E2E_EXPECT")); err == nil {
		options = append(options, cluster.WithExpect(n))
	}
	node, err := cluster.Join(ctx, options...)
	if err != nil {
		c.log.Error("did not join", "error", err)
		return joined{}, err
	}
	c.node.Store(node)
	return joined{Name: node.Name(), Address: node.Address()}, nil
}

func (c *child) members() []string {
	var names []string
	for _, m := range c.node.Load().Members() {
		names = append(names, m.Name)
	}
	return names
}

func (c *child) addressOf(node string) string {
	for _, m := range c.node.Load().Members() {
		if m.Name == node {
			return m.Address
		}
	}
	return ""
}

// patience is the deadline of requests: no test waits for it.
const patience = 60 * time.Second

// target returns the worker of a node, or, for "any", of the whole cluster.
func (c *child) target(node string) (actor.Ref[Worker], error) {
	if node == "any" {
		return cluster.Service[Worker](c.node.Load(), "worker"), nil
	}
	return actor.Resolve[Worker](c.node.Load().System(), "actor://"+node+"/worker")
}

func (c *child) work(ctx context.Context, args []string) (Done, error) {
	target, err := c.target(args[0])
	if err != nil {
		return Done{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return actor.Ask(ctx, target, Work{})
}

// outcome is how a request that cannot succeed has ended.
type outcome struct {
	Code  string
	Took  time.Duration
	Error string
}

func (c *child) hold(ctx context.Context, node string) (outcome, error) {
	target, err := c.target(node)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := time.Now()
	_, err = actor.Ask(ctx, target, Hold{})
	if err == nil {
		return outcome{}, fmt.Errorf("it was answered")
	}
	return outcome{Code: actor.CodeOf(err).String(), Took: time.Since(start), Error: err.Error()}, nil
}
