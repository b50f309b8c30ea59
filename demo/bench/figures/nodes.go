//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long the nodes get for what they should do in a moment.
const patience = 2 * time.Minute

// nodes is a cluster: processes, each on its host and with its disk.
type nodes struct {
	build   *build
	dir     string
	network *network
	expect  int
	running []*process // nil where a node has ended
	starts  int

	// askers is how many ask at each node, and deadline how long an operation has;
	// none ask if it is 0.
	askers   int
	deadline time.Duration
	records  []*record
}

// record is what one run of a node has recorded, and when what it was asked counts.
type record struct {
	node  int
	file  string
	spans []span
}

// span is a time, in ns since 1970. Its end is 0 as long as it lasts.
type span struct{ began, ended int64 }

// newNodes starts a cluster, and waits until it has its voters and each node can write.
func (s *series) newNodes(ctx context.Context, b *build, count int) (*nodes, error) {
	dir, err := os.MkdirTemp(s.dir, b.commit+"-")
	if err != nil {
		return nil, err
	}
	c := &nodes{build: b, dir: dir, expect: min(voters, count), running: make([]*process, count)}
	if c.network, err = newNetwork(ctx, count); err != nil {
		return nil, err
	}
	if err := c.startAll(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *nodes) startAll(ctx context.Context) error {
	for i := range c.running {
		if err := c.start(i); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.each(func(_ int, p *process) error { return command(ctx, p, "join") }); err != nil {
		return err
	}
	if err := c.each(func(_ int, p *process) error { return command(ctx, p, "meet", len(c.running)) }); err != nil {
		return err
	}
	if err := c.awaitVoters(ctx); err != nil {
		return err
	}
	return c.each(func(_ int, p *process) error { return command(ctx, p, "ready") })
}

// voters is how many nodes vote by default, at most.
const voters = 3

// awaitVoters waits until so many do.
func (c *nodes) awaitVoters(ctx context.Context) error {
	return c.each(func(_ int, p *process) error { return command(ctx, p, "voters", min(voters, len(c.running))) })
}

func command(ctx context.Context, p *process, words ...any) error {
	_, err := do[any](ctx, p, words...)
	return err
}

func name(i int) string { return fmt.Sprintf("node-%d", i) }

func (c *nodes) stateDir(i int) string { return filepath.Join(c.dir, name(i)) }

// start starts the process of a node.
func (c *nodes) start(i int) (err error) {
	var seeds []string
	for _, h := range c.network.hosts {
		seeds = append(seeds, h.address)
	}
	c.running[i], err = startProcess(c.build, name(i), c.network.hosts[i].namespace, filepath.Join(c.dir, name(i)+".log"), []string{
		"TROUPE_NAME=" + name(i),
		"TROUPE_CLUSTER=figures",
		"TROUPE_SECRET=a secret of the figures",
		"TROUPE_LISTEN=" + c.network.hosts[i].address,
		"TROUPE_SEEDS=" + strings.Join(seeds, ","),
		"TROUPE_STATE_DIR=" + c.stateDir(i),
		"TROUPE_TIMING=lan",
		fmt.Sprint("TROUPE_EXPECT=", c.expect),
	})
	return err
}

// join waits until a node that has been started has joined and can write, and lets its
// askers begin. What they ask counts from then on.
func (c *nodes) join(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, what := range []string{"join", "ready"} {
		if err := command(ctx, c.running[i], what); err != nil {
			return err
		}
	}
	return c.ask(ctx, i)
}

// ask lets the askers of a node begin.
func (c *nodes) ask(ctx context.Context, i int) error {
	if c.askers == 0 {
		return nil
	}
	c.starts++
	r := &record{node: i, file: filepath.Join(c.dir, fmt.Sprintf("%s.%d.operations", name(i), c.starts))}
	if err := command(ctx, c.running[i], "ask", r.file, c.askers, c.deadline); err != nil {
		return err
	}
	r.spans = []span{{began: time.Now().UnixNano()}}
	c.records = append(c.records, r)
	return nil
}

// askEverywhere lets so many ask, spread over the nodes.
func (c *nodes) askEverywhere(ctx context.Context, askers int, deadline time.Duration) error {
	c.askers, c.deadline = askers/len(c.running), deadline
	for i := range c.running {
		if err := c.ask(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// discount stops counting what is asked at a node; count begins again.
func (c *nodes) discount(i int) {
	for _, r := range c.records {
		if last := &r.spans[len(r.spans)-1]; r.node == i && last.ended == 0 {
			last.ended = time.Now().UnixNano()
		}
	}
}

func (c *nodes) count(i int) {
	for n := len(c.records) - 1; n >= 0; n-- {
		if r := c.records[n]; r.node == i {
			if r.spans[len(r.spans)-1].ended != 0 {
				r.spans = append(r.spans, span{began: time.Now().UnixNano()})
			}
			return
		}
	}
}

// stop tells a node to leave, and kills it if it does not within a time.
func (c *nodes) stop(i int) (killed bool) {
	c.discount(i)
	c.running[i].signal(syscall.SIGTERM)
	select {
	case <-c.running[i].exited:
	case <-time.After(30 * time.Second):
		killed = true
	}
	c.running[i].kill()
	c.running[i] = nil
	return killed
}

// kill kills a node.
func (c *nodes) kill(i int) {
	c.discount(i)
	c.running[i].kill()
	c.running[i] = nil
}

// each does something with all that run, at the same time.
func (c *nodes) each(f func(i int, p *process) error) error {
	errs := make([]error, len(c.running))
	var doing sync.WaitGroup
	for i, p := range c.running {
		if p != nil {
			doing.Go(func() { errs[i] = f(i, p) })
		}
	}
	doing.Wait()
	return errors.Join(errs...)
}

// leader returns the node that leads, or -1.
func (c *nodes) leader(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, p := range c.running {
		if p == nil {
			continue
		}
		if leads, err := do[string](ctx, p, "leader"); err == nil && leads != "" {
			for i, p := range c.running {
				if name(i) == leads && p != nil {
					return i
				}
			}
		}
	}
	return -1
}

// close kills what runs and removes the network.
func (c *nodes) close() error {
	for _, p := range c.running {
		if p != nil {
			p.signal(syscall.SIGCONT)
			p.kill()
		}
	}
	return c.network.close()
}
