package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func TestBackupIsRestoredOnAllReplicas(t *testing.T) {
	for _, disk := range []bool{false, true} {
		t.Run(fmt.Sprint("disk ", disk), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				old := newGroup(t, "o").found(1)
				old.fill(0, 200)
				var backup bytes.Buffer
				if err := old.leader().Backup(t.Context(), &backup); err != nil {
					t.Fatal(err)
				}
				g := newGroup(t, "a", "b", "c")
				if disk {
					g = newDiskGroup(t, "a", "b", "c")
				}
				g.found(3)
				g.write("", 0, put("goes", "1"))
				if err := g.leader().Restore(t.Context(), &backup); err != nil {
					t.Fatal(err)
				}
				if err := g.leader().ReadBarrier(t.Context()); err != nil {
					t.Error(err)
				}
				g.have("key 00199", "value 199", g.all()...)
				g.write("", 0, put("after", "1"))
				g.equal(g.all()...)
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
				if left, err := os.ReadDir(g.dir + "/a/" + spoolFolder); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		})
	}
}

func TestDamagedBackupChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 20)
		l := g.leader()
		var backup bytes.Buffer
		if err := l.Backup(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}
		whole := backup.Bytes()
		g.write("", 0, put("stays", "1"))
		for at := 0; at < len(whole); at += 97 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 0x40
			if err := l.Restore(t.Context(), bytes.NewReader(damaged)); err == nil {
				t.Errorf("a backup with byte %d changed is restored", at)
			}
			if at%5 == 0 {
				if err := l.Restore(t.Context(), bytes.NewReader(whole[:at])); err == nil {
					t.Errorf("a backup of %d bytes of %d is restored", at, len(whole))
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
		if err := g.replicas[g.others(l)[0]].Restore(t.Context(), bytes.NewReader(nil)); !errors.Is(err, errNotLeader) {
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
		var backup bytes.Buffer
		if err := g.leader().Backup(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}
		g.write("", 0, persistence.Transaction{Then: []persistence.Change{{Key: "soon", Delete: true}}})
		if err := g.leader().Restore(t.Context(), &backup); err != nil {
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

func FuzzBackupHead(f *testing.F) {
	f.Add(encodeBackupHead(0))
	f.Add(encodeBackupHead(1 << 40))
	f.Add([]byte(backupMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		index, err := decodeBackupHead(b)
		if err == nil && !bytes.Equal(b, encodeBackupHead(index)) {
			t.Errorf("%x is taken for %d", b, index)
		}
	})
}
