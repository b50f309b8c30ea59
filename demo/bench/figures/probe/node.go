//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// probe is a node, once it has joined.
type probe struct {
	mu       sync.Mutex
	node     *cluster.Node
	all      []operation
	rest     func() // ends the askers
	losses   int
	watching bool
	// closeStore closes what fill has written.
	closeStore func() error
}

// do runs a command. What waits ends with ctx, or when its parent kills the process.
func (p *probe) do(ctx context.Context, command string, args []string) (any, error) {
	switch command {
	case "join": // a node, as the environment says
		return nil, p.join(ctx)
	case "ready": // waits until it can write
		return nil, p.await(ctx, func(ctx context.Context) error {
			_, err := persistence.Put(ctx, p.node.Store(), "ready/"+p.node.Name(), nil)
			return err
		})
	case "ask": // FILE ASKERS DEADLINE: begins to ask, and records how that ends
		return nil, p.ask(ctx, args[0], number(args[1]), span(args[2]))
	case "rest": // stops asking
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.rest != nil {
			p.rest()
			p.rest = nil
		}
		return nil, nil
	case "works": // FROM: each kind of operation, until it succeeds: milliseconds since then
		return p.works(ctx, int64(number(args[0])))
	case "write": // N DEADLINE: how long each takes, in ms, and how it ends
		return attempts(ctx, number(args[0]), span(args[1]), func(ctx context.Context) error {
			_, err := persistence.Put(ctx, p.node.Store(), "minority", nil)
			return err
		}), nil
	case "call": // N DEADLINE: the same with calls of a virtual actor
		return attempts(ctx, number(args[0]), span(args[1]), p.operation("virtual")), nil
	case "put":
		_, err := persistence.Put(ctx, p.node.Store(), args[0], []byte(args[1]))
		return nil, err
	case "get":
		r, err := p.node.Store().Get(ctx, args[0])
		if errors.Is(err, persistence.ErrNotFound) {
			err = nil
		}
		return string(r.Value), err
	case "leader":
		return p.node.Store().Leader(), nil
	case "meet": // N: waits until so many are members
		return nil, p.node.Await(ctx, func() bool { return len(p.node.Members()) == number(args[0]) })
	case "voters": // N: waits until the store has so many
		return nil, p.await(ctx, func(ctx context.Context) error {
			s, err := p.node.Store().Status(ctx)
			if err == nil && len(s.Voters) != number(args[0]) {
				err = fmt.Errorf("voters are %v", s.Voters)
			}
			return err
		})
	case "gone": // NAME: waits until it is no member, and says when that was
		err := p.node.Await(ctx, func() bool {
			return !slices.ContainsFunc(p.node.Members(), func(m cluster.Member) bool { return m.Name == args[0] })
		})
		return time.Now().UnixNano(), err
	case "losses": // members that were there and are not, since it was first asked
		return p.lost(ctx), nil
	case "rewrite": // DIR KEYS BYTES TIMES HISTORY
		return rewrite(ctx, args[0], number(args[1]), number(args[2]), number(args[3]), number(args[4]))
	case "fill": // DIR RECORDS BYTES: and keeps the store open
		return nil, p.fill(ctx, args[0], number(args[1]), number(args[2]))
	case "close": // it
		return nil, p.closeStore()
	case "open": // DIR: how many milliseconds it takes
		return open(ctx, args[0])
	}
	return nil, fmt.Errorf("unknown command %q", command)
}

func (p *probe) join(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	node, err := cluster.Join(ctx, cluster.WithLogger(log))
	if err != nil {
		return err
	}
	all, err := operations(node)
	p.mu.Lock()
	p.node, p.all = node, all
	p.mu.Unlock()
	return err
}

// close leaves.
func (p *probe) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.node == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.node.Leave(ctx)
}

// await tries until f succeeds.
func (p *probe) await(ctx context.Context, f func(context.Context) error) error {
	for {
		trying, cancel := context.WithTimeout(ctx, time.Second)
		err := f(trying)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lost counts members that vanish. It looks often enough to see one that comes back.
func (p *probe) lost(ctx context.Context) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.watching {
		p.watching = true
		go func() {
			known := map[string]bool{}
			for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
				now := map[string]bool{}
				for _, m := range p.node.Members() {
					now[m.Name] = true
				}
				p.mu.Lock()
				for name := range known {
					if !now[name] {
						p.losses++
					}
				}
				p.mu.Unlock()
				known = now
			}
		}()
	}
	return p.losses
}

// attempt is how long an operation took, and how it ended.
type attempt struct {
	Millis float64
	Code   string
}

func try(ctx context.Context, deadline time.Duration, f func(context.Context) error) attempt {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	start := time.Now()
	err := f(ctx)
	return attempt{float64(time.Since(start).Microseconds()) / 1000, codeOf(err)}
}

// inParallel is how many attempts are made at a time.
const inParallel = 4

// attempts makes so many attempts, some at a time.
func attempts(ctx context.Context, n int, deadline time.Duration, f func(context.Context) error) []attempt {
	all := make([]attempt, n)
	var running sync.WaitGroup
	for first := range inParallel {
		running.Go(func() {
			for i := first; i < n; i += inParallel {
				all[i] = try(ctx, deadline, f)
			}
		})
	}
	running.Wait()
	return all
}

func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return actor.CodeOf(err).String()
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err) // the parent is this program's other half
	}
	return n
}

func span(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}
