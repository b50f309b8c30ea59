package stage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
)

// Process is a process that [Stage.Start] has started, as the stage sees it. Its
// methods may be called concurrently.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer  // unless it goes to the terminal; read after exited
	exited chan struct{} // closed when it has ended and all that it said is heard
	over   atomic.Bool   // it was killed, or how it ended was told

	mu      sync.Mutex
	said    map[string]string // by the first word, the latest
	changed chan struct{}     // closed and replaced whenever said changes
}

func startProcess(name string, place Place) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{
		name: name, cmd: exec.Command(self), exited: make(chan struct{}),
		said: make(map[string]string), changed: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), nameEnv+"="+name, dirEnv+"="+place.Dir)
	p.cmd.Stderr = &p.stderr
	if place.verbose {
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

// listen hears the process until it has ended.
func (p *Process) listen(stdout io.Reader) {
	defer close(p.exited)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		what, words, _ := strings.Cut(lines.Text(), " ")
		p.mu.Lock()
		p.said[what] = words
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // its ProcessState says it as well
}

// Name returns the name that the process was started with.
func (p *Process) Name() string { return p.name }

// PID returns the number that the operating system has given to the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Said returns what the process has told by [Child.Say] under that name, the latest,
// and whether it has.
func (p *Process) Said(what string) (words string, said bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	words, said = p.said[what]
	return words, said
}

// Ready waits until the process has called [Child.Ready].
func (p *Process) Ready(ctx context.Context) error {
	return p.Await(ctx, func() bool { _, ready := p.Said(readyLine); return ready })
}

// Await waits until condition holds, which is tried whenever the process has said
// something. It returns an error if the process or ctx ends first.
func (p *Process) Await(ctx context.Context, condition func() bool) error {
	for {
		changed := p.change()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-p.exited:
			if condition() {
				return nil
			}
			return p.ending()
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			return fmt.Errorf("%s does not get on, having said %q: %w", p.name, p.said, context.Cause(ctx))
		}
	}
}

func (p *Process) change() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// ending describes how the process has ended, and its last words.
func (p *Process) ending() error {
	text := fmt.Sprintf("%s has ended: %s\n%s", p.name, p.cmd.ProcessState, p.stderr.Bytes())
	return errors.New(strings.TrimSpace(text))
}

// Cue sends a line to the process, for [Child.Cues].
func (p *Process) Cue(line string) error {
	_, err := fmt.Fprintln(p.stdin, line)
	return err
}

// Kill ends the process as a crash would (SIGKILL) and waits until it is gone.
func (p *Process) Kill() {
	p.over.Store(true)
	_ = p.cmd.Process.Kill() // or it has ended already
	<-p.exited
}

// Dismiss sends the process home: the context of its Program.Child ends. It does not
// wait.
func (p *Process) Dismiss() { _ = p.stdin.Close() }

// Close sends the process home and waits until it has ended. When ctx ends first, it is
// killed. That is an error, and so is an exit code other than 0 if nobody killed it.
func (p *Process) Close(ctx context.Context) error {
	p.Dismiss()
	select {
	case <-p.exited:
		return p.clear()
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s was sent home, did not go, and was killed: %w", p.name, context.Cause(ctx))
	}
}

// clear kills the process, or says how it has failed if it has ended by itself and
// nobody knows yet.
func (p *Process) clear() error {
	select {
	case <-p.exited:
		if !p.over.Swap(true) && !p.cmd.ProcessState.Success() {
			return p.ending()
		}
	default:
		p.Kill()
	}
	return nil
}
