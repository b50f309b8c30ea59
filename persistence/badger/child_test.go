package badger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Some tests need a process of their own: to kill it, or to measure it. The test binary
// then runs itself, with this variable set to the name of what the child does and its
// arguments.
const childVariable = "TROUPE_PERSISTENCE_CHILD"

func children() map[string]func(ctx context.Context, arguments []string) error {
	return map[string]func(context.Context, []string) error{
		"crash":    crashChild,
		"fill":     fillChild,
		"full":     fullDiskChild,
		"look":     lookChild,
		"memory":   memoryChild,
		"overfull": overfullChild,
	}
}

func runChild(command string) (code int) {
	fields := strings.Split(command, "|")
	if err := children()[fields[0]](context.Background(), fields[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// child is a process that runs, and its output, line by line.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, name string, arguments ...string) *child {
	t.Helper()
	return start(t, childCommand(name, arguments...))
}

func childCommand(name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join(append([]string{name}, arguments...), "|"))
	cmd.Stderr = os.Stderr
	return cmd
}

func start(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &child{Cmd: cmd, lines: lines}
}
