package consensus

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// childVariable makes this test program a process that writes to a replica in that
// folder, and prints the number of each write that was acknowledged, until it is
// killed.
const childVariable = "TROUPE_CONSENSUS_CHILD"

func runChild(dir string) int {
	c := replicaConfig{
		Core: "core", Server: "a/00000001", Node: "a", Dir: dir, Logger: slog.New(slog.DiscardHandler), Timing: Local(), Voters: 1,
		Bootstrap: []raftServer{{Node: "a", Server: "a/00000001"}},
		Listener:  (&pipeNetwork{listeners: map[string]*pipeListener{}}).listen("a"),
		Members:   func() []Member { return nil },
		// A log that is cut often.
		snapshotThreshold: 50,
	}
	r, err := openReplica(background, c)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	for {
		changed := r.LeaderChanged()
		if r.ReadBarrier(background) == nil {
			break
		}
		<-changed
	}
	last, err := r.Store().List(background, persistence.Query{Limit: 1, Descending: true})
	n := 0
	if len(last) > 0 {
		n, err = strconv.Atoi(last[0].Key)
	}
	for n++; err == nil; n++ {
		_, err = r.Propose(background, "child", uint64(n), []persistence.Transaction{put(fmt.Sprintf("%08d", n), "x")})
		fmt.Println(n)
	}
	fmt.Println("error", err)
	return 1
}

func TestKilledReplicaHasWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var first, last int
		for count := 0; lines.Scan(); count++ {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Error(lines.Text())
				break
			}
			if count == 0 {
				first = last
			}
			if count == 100*round+37 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()
		inBubble(t, func(t *testing.T) {
			g := newGroup(t, "a")
			g.servers["a"] = "a/00000001"
			c := g.config("a")
			c.Dir = dir
			g.open(c)
			r := g.leader()
			for i := 1; i <= last; i++ {
				if _, err := r.Store().Get(t.Context(), fmt.Sprintf("%08d", i)); err != nil {
					t.Fatalf("of %d writes that were acknowledged, %d is gone: %v", last, i, err)
				}
			}
			if first > 1 {
				return
			}
			again := put("again", "")
			if _, err := r.Propose(t.Context(), "child", 1, []persistence.Transaction{again}); !errors.Is(err, errStale) {
				t.Errorf("a proposal from before the crash: %v", err)
			}
		})
	}
}

func TestReplicaIsReopenedFromDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newDiskGroup(t, "a", "b", "c")
		g.threshold = 30
		g.found(3)
		outcomes := g.write("lane", 7, put("once", "1"))
		g.fill(0, 100)
		g.equal(g.all()...)
		for _, node := range g.nodes {
			g.stop(node)
		}
		for _, node := range g.nodes {
			g.start(node)
		}
		g.fill(100, 1)
		g.equal(g.all()...)
		if again := g.write("lane", 7, put("once", "2")); again[0] != outcomes[0] {
			t.Errorf("after a restart a proposal has the outcome %v, and had %v", again[0], outcomes[0])
		}
		g.have("once", "1", g.all()...)
		g.have("key 00099", "value 99", g.all()...)
	})
}

func TestFolderThatLostHalfIsRefused(t *testing.T) {
	for folder, says := range map[string]string{logFolder: "the log in", storeFolder: "the store in"} {
		t.Run(folder, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newDiskGroup(t, "a")
				g.threshold = 10
				g.found(1)
				g.fill(0, 30)
				r := g.leader()
				g.until("the log is cut", func() bool {
					marked, err := r.machine.snapshots.List()
					return err == nil && len(marked) > 0
				})
				c := r.config
				g.stop("a")
				if err := os.RemoveAll(c.Dir + "/" + folder); err != nil {
					t.Fatal(err)
				}
				c.Listener = g.net.listen("a")
				if _, err := openReplica(t.Context(), c); !errors.Is(err, persistence.ErrCorrupt) || !strings.Contains(err.Error(), says) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}
