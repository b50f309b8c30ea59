package discovery

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// helperVariable makes the test binary a node in a folder, until its input ends.
const helperVariable = "TROUPE_DISCOVERY_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		os.Exit(helper(dir))
	}
	goleak.VerifyTestMain(m)
}

func helper(dir string) int {
	ctx := context.Background()
	slot, err := ClaimSlot(ctx, dir, "cluster", "host")
	if err == nil {
		err = slot.SaveAddress(helperAddress(slot.Index()))
	}
	if err == nil {
		err = Local(dir).Announce(ctx, "cluster", slot.Name(), helperAddress(slot.Index()))
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

func helperAddress(slot int) string { return fmt.Sprintf("127.0.0.1:%d", 7000+slot) }

// startHelper returns once the process has announced itself.
func startHelper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), helperVariable+"="+dir)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = command.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("helper process: %q, %v", line, err)
	}
	return command
}

func kill(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
}

// newDir returns a folder that does not exist yet.
func newDir(t *testing.T) string { return filepath.Join(t.TempDir(), "run") }
