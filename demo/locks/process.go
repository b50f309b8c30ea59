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

// process is one that wants to do the job, as this one sees it.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer // unless it goes to the terminal
}

// startProcess starts this program again. The process is killed when ctx ends.
func startProcess(ctx context.Context, name, dir string, verbose bool) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.CommandContext(ctx, self)}
	p.cmd.Env = append(os.Environ(), nameEnv+"="+name, dirEnv+"="+dir)
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
	p.stdout = bufio.NewReader(stdout)
	return p, p.cmd.Start()
}

// joined waits until the process is a member of the cluster.
func (p *process) joined() error {
	line, err := p.stdout.ReadString('\n')
	if strings.TrimSpace(line) != joinedLine {
		p.kill()
		return fmt.Errorf("%s did not join: %q, %v\n%s", p.name, line, err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// release has the process give up the lock.
func (p *process) release() error {
	_, err := fmt.Fprintln(p.stdin, releaseCommand)
	return err
}

// kill ends the process as a crash would (SIGKILL) and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
}

// dismiss lets the process end; gone waits for that.
func (p *process) dismiss() { _ = p.stdin.Close() }

func (p *process) gone() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return nil
}
