package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/consensus/spool"
	"github.com/troupe-go/troupe/persistence"
)

// backup returns one of the leader.
func (g *group) backup() []byte {
	g.t.Helper()
	var b bytes.Buffer
	if err := g.leader().Backup(g.t.Context(), &b); err != nil {
		g.t.Fatal(err)
	}
	return b.Bytes()
}

// stage stores the parts of a backup, and returns how many there are.
func (g *group) stage(session string, backup []byte) (parts uint64) {
	g.t.Helper()
	for ; len(backup) > 0; parts++ {
		n := min(1000, len(backup))
		g.write("", 0, put(systemKey(partKey(session, parts)), string(backup[:n])))
		backup = backup[n:]
	}
	return parts
}

func TestRestoredReplicasAreEqualAndStaySo(t *testing.T) {
	for _, disk := range []bool{false, true} {
		t.Run(fmt.Sprint("disk ", disk), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				old := newGroup(t, "o").found(1)
				old.fill(0, 200)
				backup := old.backup()
				g := newGroup(t, "a", "b", "c")
				if disk {
					g = newDiskGroup(t, "a", "b", "c")
				}
				g.threshold = 20
				g.found(3)
				g.write("lane", 1, put("goes", "1"))
				parts := g.stage("s", backup)

				// One of them gets to know of it from the snapshot of another.
				behind := g.others(g.leader())[0]
				g.stop(behind)
				before := g.leader().Store().Latest()
				for range 2 { // the second time it has been done
					if err := g.leader().Restore(t.Context(), "s", parts); err != nil {
						t.Fatal(err)
					}
				}
				if latest := g.leader().Store().Latest(); latest < before+1<<32 || latest > before+1<<32+1000 {
					t.Errorf("restoring took the store from revision %d to %d", before, latest)
				}
				if again := g.write("lane", 1, put("goes", "1")); again[0].Revision > before {
					t.Errorf("a proposal of before, sent again: %+v", again)
				}
				g.fill(1000, 100)
				g.start(behind)
				g.equal(g.all()...)
				g.have("key 00199", "value 199", g.all()...)
				if _, err := g.leader().Store().Get(t.Context(), "goes"); !errors.Is(err, persistence.ErrNotFound) {
					t.Errorf("what was there before: %v", err)
				}
				if !disk {
					return
				}
				for _, node := range g.nodes {
					g.stop(node)
				}
				for _, node := range g.nodes {
					g.start(node)
				}
				g.write("", 0, put("later", "1"))
				g.equal(g.all()...)
				g.have("key 00000", "value 0", g.all()...)
				if left, err := os.ReadDir(g.dir + "/a/" + spool.Folder); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		})
	}
}

// TestRestorationIsAppliedAgainFromTheLog: the store of a replica may be behind its log
// after a crash.
func TestRestorationIsAppliedAgainFromTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newDiskGroup(t, "a").found(1)
		g.fill(0, 10)
		backup := g.backup()
		g.write("", 0, put("goes", "1"))
		parts := g.stage("s", backup)
		g.stop("a")
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(g.dir+"/a/"+storeFolder)); err != nil {
			t.Fatal(err)
		}
		g.start("a")
		if err := g.leader().Restore(t.Context(), "s", parts); err != nil {
			t.Fatal(err)
		}
		g.write("", 0, put("after", "1"))
		want := g.replicas["a"].Store().Latest()
		g.stop("a")
		if err := errors.Join(os.RemoveAll(g.dir+"/a/"+storeFolder), os.CopyFS(g.dir+"/a/"+storeFolder, os.DirFS(copied))); err != nil {
			t.Fatal(err)
		}
		g.start("a")
		g.have("after", "1", g.leader())
		g.have("key 00009", "value 9", g.leader())
		if _, err := g.leader().Store().Get(t.Context(), "goes"); !errors.Is(err, persistence.ErrNotFound) || g.leader().Store().Latest() != want {
			t.Errorf("at revision %d, it was %d; what was there before: %v", g.leader().Store().Latest(), want, err)
		}
	})
}

func TestRestorationWithoutItsPartsChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 100)
		backup := g.backup()
		g.write("", 0, put("stays", "1"))
		parts := g.stage("damaged", append(bytes.Clone(backup[:len(backup)/2]), 0))
		for session, want := range map[string]error{"damaged": persistence.ErrCorrupt, "gone": ErrSessionEnded} {
			for range 2 {
				if err := g.leader().Restore(t.Context(), session, parts); !errors.Is(err, want) {
					t.Errorf("%s: %v", session, err)
				}
			}
		}
		g.write("", 0, put("more", "1"))
		g.have("stays", "1", g.all()...)
		g.equal(g.all()...)
	})
}

func TestOnlyTheLeaderRestores(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b").found(2)
		l := g.leader()
		if err := g.replicas[g.others(l)[0]].Restore(t.Context(), "s", 1); !errors.Is(err, errNotLeader) {
			t.Errorf("error %v", err)
		}
	})
}

func TestRestoredRecordsExpire(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		soon := put("soon", "1")
		soon.Then[0].TTL = time.Minute
		g.write("", 0, soon)
		backup := g.backup()
		g.write("", 0, persistence.Transaction{Then: []persistence.Change{{Key: "soon", Delete: true}}})
		if err := g.leader().Restore(t.Context(), "s", g.stage("s", backup)); err != nil {
			t.Fatal(err)
		}
		g.have("soon", "1", g.leader())
		before := g.leader().raft.LastIndex()
		<-time.After(time.Minute + 2*expiryCheck)
		if g.leader().raft.LastIndex() == before {
			t.Error("what was restored is not removed")
		}
	})
}

func TestSystemKeyIsThatOfTheNamespace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		if _, err := persistence.Put(t.Context(), persistence.Namespace(atReplica{g.leader().Store(), g.leader()}, systemSpace), "k", nil); err != nil {
			t.Fatal(err)
		}
		g.have(systemKey("k"), "", g.leader())
	})
}

func TestPartsAreReadFromTheBeginning(t *testing.T) {
	p := &partReader{next: 1}
	for _, seek := range [][2]int{{1, 0}, {0, 1}, {0, 2}, {-1, 0}} {
		if _, err := p.Seek(int64(seek[0]), seek[1]); err == nil {
			t.Errorf("Seek%v is taken", seek)
		}
	}
}
