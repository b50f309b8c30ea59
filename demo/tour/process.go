package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// process is a node in a process of its own, as the tour sees it.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer  // unless it goes to the terminal; read after exited
	exited chan struct{} // closed when it has ended and all is read

	mu      sync.Mutex
	seen    sight
	changed chan struct{} // closed and replaced whenever seen changes
}

// sight is what a node has said of what it sees.
type sight struct {
	address string
	members []string
	left    bool
}

// sees reports whether all of names are members.
func (s sight) sees(names ...string) bool {
	for _, n := range names {
		if !slices.Contains(s.members, n) {
			return false
		}
	}
	return true
}

func startProcess(name, dir string, verbose bool) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command(self), exited: make(chan struct{}), changed: make(chan struct{})}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TROUPE_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "TROUPE_STATE_DIR="+dir, nodeEnv+"="+name)
	p.cmd.Stderr = &p.stderr
	if verbose {
		p.cmd.Env = append(p.cmd.Env, verboseEnv+"=1")
		p.cmd.Stderr = os.Stderr
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.listen(stdout)
	return p, nil
}

func (p *process) listen(stdout io.Reader) {
	defer close(p.exited)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		p.hear(lines.Text())
	}
	_ = p.cmd.Wait() // that it ended is expected, or noticed by await
}

func (p *process) hear(line string) {
	what, rest, _ := strings.Cut(line, " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case addressLine:
		p.seen.address = rest
	case membersLine:
		p.seen.members = strings.Fields(rest)
	case leftLine:
		p.seen.left = true
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// look returns what the node has said, and a channel that closes when it says more.
func (p *process) look() (sight, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen, p.changed
}

// await waits until condition holds for what the node sees.
func (p *process) await(ctx context.Context, condition func(sight) bool) error {
	for {
		seen, changed := p.look()
		if condition(seen) {
			return nil
		}
		select {
		case <-changed:
		case <-p.exited:
			if seen, _ := p.look(); condition(seen) {
				return nil
			}
			return fmt.Errorf("%s has ended: %s\n%s", p.name, p.cmd.ProcessState, bytes.TrimSpace(p.stderr.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("%s does not get on (it sees %q): %w", p.name, seen.members, context.Cause(ctx))
		}
	}
}

// leave tells the node to leave; await tells when it has.
func (p *process) leave() error {
	_, err := fmt.Fprintln(p.stdin, leaveCommand)
	return err
}

// kill ends the process as a crash would (SIGKILL) and waits until it is gone.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.exited
	return err
}

// dismiss lets the process end; gone waits for that.
func (p *process) dismiss() { _ = p.stdin.Close() }

// gone waits until the process has ended. When ctx ends first, it is killed.
func (p *process) gone(ctx context.Context) {
	select {
	case <-p.exited:
	case <-ctx.Done():
		_ = p.kill()
	}
}
