package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadline is for everything that is waited for: it says that something will
// never happen, not how long it may take.
const deadline = 60 * time.Second

// process is a child as its parent sees it.
type process struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	log    *transcript
	exited chan struct{} // closed when it has ended

	mu      sync.Mutex
	stdin   io.WriteCloser
	tags    int
	waiting map[string]chan string
}

// start runs a child with these variables in its environment, and no other of
// Troupe's. wrap, if given, is a command that runs it, as in a namespace.
func start(t testing.TB, name string, env []string, wrap ...string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startBinary(t, executable, name, env, wrap...)
}

// startBinary is start with the test binary of any build.
func startBinary(t testing.TB, executable, name string, env []string, wrap ...string) *process {
	t.Helper()
	return startCommand(t, name, env, append(wrap, executable)...)
}

// startCommand is start with any command.
func startCommand(t testing.TB, name string, env []string, command ...string) *process {
	t.Helper()
	p := &process{
		t: t, name: name, log: newTranscript(), exited: make(chan struct{}), waiting: make(map[string]chan string),
		cmd: exec.Command(command[0], command[1:]...),
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TROUPE_") || strings.HasPrefix(v, profileVar) {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, childVar+"=1"), env...)
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stdout)
	t.Cleanup(func() {
		p.kill()
		for _, crash := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(p.log.String(), crash) {
				t.Errorf("%s: %s", name, crash)
			}
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", name, p.log)
		}
	})
	return p
}

// node starts a child that joins under a name, keeping its state in dir.
func node(t testing.TB, name, dir string, env ...string) *process {
	t.Helper()
	p := start(t, name, append(env, "TROUPE_NAME="+name, "TROUPE_STATE_DIR="+dir))
	p.do("join")
	return p
}

func (p *process) read(stdout io.Reader) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		tag, answer, _ := strings.Cut(lines.Text(), " ")
		p.mu.Lock()
		if w := p.waiting[tag]; w != nil {
			w <- answer
		}
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // whoever cares looks at ProcessState
	close(p.exited)
}

// kill ends the process at once, as SIGKILL does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails when it has ended
	<-p.exited
}

// quit lets the process leave and end.
func (p *process) quit() {
	_ = p.stdin.Close() // fails when it has ended
	<-p.exited
}

// signal sends a signal.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// answer is a command under way.
type answer struct {
	p       *process
	command string
	line    chan string
}

// begin gives a command.
func (p *process) begin(command ...string) *answer {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tags++
	a := &answer{p: p, command: strings.Join(command, " "), line: make(chan string, 1)}
	tag := fmt.Sprint(p.tags)
	p.waiting[tag] = a.line
	if _, err := fmt.Fprintln(p.stdin, tag, a.command); err != nil {
		p.t.Errorf("%s: %v", p.name, err)
	}
	return a
}

// end waits until the command is done, and fails the test if it has failed.
func (a *answer) end() json.RawMessage {
	a.p.t.Helper()
	result, err := a.outcome()
	if err != nil {
		a.p.t.Fatal(err)
	}
	return result
}

// outcome waits until the command is done, or has failed.
func (a *answer) outcome() (json.RawMessage, error) {
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case line := <-a.line:
		kind, result, _ := strings.Cut(line, " ")
		if kind != "ok" {
			return nil, fmt.Errorf("%s: %s: %s", a.p.name, a.command, result)
		}
		return json.RawMessage(result), nil
	case <-a.p.exited:
		return nil, fmt.Errorf("%s: %s: the process has ended: %s", a.p.name, a.command, a.p.cmd.ProcessState)
	case <-timer.C:
		return nil, fmt.Errorf("%s: %s: not done within %v", a.p.name, a.command, deadline)
	}
}

// do gives a command and waits until it is done.
func (p *process) do(command ...string) json.RawMessage {
	p.t.Helper()
	return p.begin(command...).end()
}

// get is do for a command with a result.
func get[T any](p *process, command ...string) T {
	p.t.Helper()
	return decode[T](p.t, p.do(command...))
}

func decode[T any](t testing.TB, result json.RawMessage) (value T) {
	t.Helper()
	if err := json.Unmarshal(result, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// all gives one command to several processes and waits until all have done it.
func all(processes []*process, command ...string) {
	var answers []*answer
	for _, p := range processes {
		p.t.Helper()
		answers = append(answers, p.begin(command...))
	}
	for _, a := range answers {
		a.p.t.Helper()
		a.end()
	}
}

// transcript keeps what a process logs.
type transcript struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed at the next line
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{})} }

// Write implements io.Writer.
func (l *transcript) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(b)
}

// String returns all of it.
func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// awaitLog waits until the process has logged a line with all the words.
func (p *process) awaitLog(words ...string) string {
	p.t.Helper()
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	for {
		p.log.mu.Lock()
		text, changed := p.log.text.String(), p.log.changed
		p.log.mu.Unlock()
		for line := range strings.Lines(text) {
			if containsAll(line, words) {
				return line
			}
		}
		select {
		case <-changed:
		case <-timer.C:
			p.t.Fatalf("%s did not log %q", p.name, words)
		}
	}
}

func containsAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}
