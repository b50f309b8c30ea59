//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// process is a probe that runs.
type process struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended

	mu      sync.Mutex
	stdin   io.WriteCloser
	tags    int
	waiting map[string]chan string
}

// startProcess starts a probe with these variables and no other of Troupe's, and appends
// what it logs to a file. It runs in a namespace unless that is empty.
func startProcess(b *build, name, namespace, log string, env []string, args ...string) (*process, error) {
	command := append([]string{b.program}, args...)
	if namespace != "" {
		command = append([]string{"ip", "netns", "exec", namespace}, command...)
	}
	p := &process{name: name, cmd: exec.Command(command[0], command[1:]...), exited: make(chan struct{}), waiting: map[string]chan string{}}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TROUPE_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	// It must not get the interrupt of the terminal.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	file, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p.cmd.Stderr = file
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

func (p *process) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		tag, answer, _ := strings.Cut(lines.Text(), " ")
		p.mu.Lock()
		if w := p.waiting[tag]; w != nil {
			w <- answer
		}
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // many are killed
	close(p.exited)
}

// signal sends a signal; one that has ended does not care.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process at once.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// do gives a command and waits until it is done, its process has ended, or ctx has.
func do[T any](ctx context.Context, p *process, command ...any) (result T, err error) {
	line := make(chan string, 1)
	p.mu.Lock()
	p.tags++
	tag := fmt.Sprint(p.tags)
	p.waiting[tag] = line
	text := strings.TrimSuffix(fmt.Sprintln(command...), "\n")
	_, err = fmt.Fprintln(p.stdin, tag, text)
	p.mu.Unlock()
	if err != nil {
		return result, fmt.Errorf("%s: %s: %w", p.name, text, err)
	}
	select {
	case answer := <-line:
		kind, rest, _ := strings.Cut(answer, " ")
		if kind != "ok" {
			return result, fmt.Errorf("%s: %s: %s", p.name, text, rest)
		}
		return result, json.Unmarshal([]byte(rest), &result)
	case <-p.exited:
		return result, fmt.Errorf("%s: %s: the process has ended: %s", p.name, text, p.cmd.ProcessState)
	case <-ctx.Done():
		return result, fmt.Errorf("%s: %s: %w", p.name, text, ctx.Err())
	}
}
