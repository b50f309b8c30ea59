package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// process is one that has rooms, as the people's process sees it.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer // unless it goes to the terminal
}

// startHouse starts this program again, and returns when rooms may run in it. The
// process is killed when ctx ends.
func startHouse(ctx context.Context, dir, name string, verbose bool) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.CommandContext(ctx, self)}
	p.cmd.Env = append(os.Environ(), dirEnv+"="+dir, nameEnv+"="+name)
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
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if strings.TrimSpace(line) != openLine {
		p.kill()
		return nil, fmt.Errorf("%s did not open: %q, %v\n%s", name, line, err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process as a crash would (SIGKILL) and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
}

// close lets the process end by itself.
func (p *process) close() error {
	_ = p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return nil
}
