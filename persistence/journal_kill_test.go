package persistence_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// The tests here kill a process, which is this test binary again. It takes commands
// from its standard input, one a line, and answers each by a line, in any order.
const (
	childEnv = "TROUPE_TEST_JOURNAL_DIR"

	moveCommand   = "move"   // KEY AMOUNT; answered by "move KEY"
	lookCommand   = "look"   // answered by "look BALANCE"
	remindCommand = "remind" // NAME DURATION; answered by "remind NAME"
	remindedLine  = "reminded"
)

// After each kill the senders send again what was not acknowledged, with the same
// key. At the end all is acknowledged, and the balance must be exactly that.
func TestAfterKillsTheBalanceIsWhatWasAcknowledged(t *testing.T) {
	const senders, kills = 64, 5
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	waiting := make(map[string]int) // amounts by key
	key, acknowledged, balance := 0, 0, 0
	more := func() string {
		key++
		k, amount := strconv.Itoa(key), random.IntN(100)
		waiting[k] = amount
		return fmt.Sprintln(moveCommand, k, amount)
	}
	for killed := 0; killed <= kills; killed++ {
		c := startChild(t, dir)
		for k, amount := range waiting {
			c.send(t, fmt.Sprintln(moveCommand, k, amount))
		}
		for len(waiting) < senders {
			c.send(t, more())
		}
		for left := 20 + random.IntN(200); left > 0 || killed == kills && len(waiting) > 0; left-- {
			words := c.read(t)
			amount, ok := waiting[words[1]]
			if !ok || words[0] != moveCommand {
				t.Fatalf("the child said %q", words)
			}
			delete(waiting, words[1])
			acknowledged++
			balance += amount
			if killed < kills || left > senders {
				c.send(t, more())
			}
		}
		if killed < kills {
			c.kill(t)
			continue
		}
		c.send(t, lookCommand+"\n")
		if words := c.read(t); words[1] != strconv.Itoa(balance) {
			t.Errorf("the balance is %s, acknowledged are %d", words[1], balance)
		}
		c.end(t)
	}
	t.Logf("%d operations, %d kills", acknowledged, kills)
}

func TestAReminderComesAfterAKill(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, dir)
	c.send(t, fmt.Sprintln(remindCommand, "soon", time.Millisecond))
	c.send(t, fmt.Sprintln(remindCommand, "later", 3*time.Second)) // not before the kill
	for said := map[string]bool{}; !said["remind soon"] || !said["remind later"]; {
		said[strings.Join(c.read(t), " ")] = true
	}
	c.kill(t)
	c = startChild(t, dir)
	for words := c.read(t); words[0] != remindedLine || words[1] != "later"; words = c.read(t) {
	}
	c.end(t)
}

// child is the process to kill.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildOfTheKillTests$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd, in, bufio.NewReader(out)}
}

func (c *child) send(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c.in, line); err != nil {
		t.Fatal(err)
	}
}

// read returns the words of the next line.
func (c *child) read(t *testing.T) []string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the child ended: %q, %v", line, err)
	}
	return strings.Fields(line)
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // says that it was killed
}

// end lets the child end by itself.
func (c *child) end(t *testing.T) {
	t.Helper()
	_ = c.in.Close()
	rest, _ := io.ReadAll(c.out)
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the child: %v\n%s", err, rest)
	}
}

func TestChildOfTheKillTests(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("this is a process that other tests start")
	}
	store, system := openStore(t, badger.Config{Dir: dir}), newSystem(t)
	var out sync.Mutex
	say := func(words ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(words...)
	}
	d := newDiary()
	d.answer = func(_ context.Context, m Wake) error { say(remindedLine, m.Why); return nil }
	p := process{
		account: spawn(t, system, snapshotting(store, 100, persistence.DeleteOldEvents())),
		sleeper: spawn(t, system, d.sleepers()),
	}
	p.reminders = remember(t, store, system, persistence.ReminderConfig{})
	var serving sync.WaitGroup
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		serving.Go(func() {
			answer, err := p.serve(t.Context(), words)
			if err != nil {
				t.Errorf("%s: %v", words, err)
				return
			}
			say(words[0], answer)
		})
	}
	serving.Wait()
}

// process is what the child has.
type process struct {
	account   actor.Ref[Account]
	sleeper   actor.Ref[Sleeper]
	reminders *persistence.Reminders
}

func (p *process) serve(ctx context.Context, words []string) (answer any, err error) {
	switch words[0] {
	case moveCommand:
		amount, err := strconv.Atoi(words[2])
		if err != nil {
			return nil, err
		}
		_, err = actor.Ask(ctx, p.account, Move{Key: words[1], Amount: amount})
		return words[1], err
	case lookCommand:
		balance, err := actor.Ask(ctx, p.account, Look{})
		return balance.Amount, err
	case remindCommand:
		in, err := time.ParseDuration(words[2])
		if err != nil {
			return nil, err
		}
		due := persistence.Schedule{First: time.Now().Add(in)}
		return words[1], persistence.Remind(ctx, p.reminders, p.sleeper, words[1], due, Wake{Why: words[1]})
	}
	return nil, fmt.Errorf("no such command")
}
