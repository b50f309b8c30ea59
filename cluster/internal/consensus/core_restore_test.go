package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// fill writes records of all kinds, which take several parts in a backup.
func (n *node) fill(value string) {
	n.world.t.Helper()
	for i := range 10 {
		n.put(fmt.Sprint("key ", i), value+strings.Repeat(".", i*5_000))
	}
	n.put("large", value+strings.Repeat(".", 900<<10))
	for _, options := range [][]persistence.WriteOption{{persistence.TTL(time.Hour)}, {persistence.Metadata(map[string]string{"m": value})}} {
		if _, err := persistence.Put(n.world.t.Context(), n, fmt.Sprint("key of ", len(options)), []byte(value), options...); err != nil {
			n.world.t.Fatal(err)
		}
	}
}

func TestABackupIsRestoredIntoACoreThatWasNeverUsed(t *testing.T) {
	for _, voters := range []int{3, 5} {
		for _, part := range parts() {
			if voters == 5 && (part != "without replica" || !thorough()) {
				continue
			}
			t.Run(fmt.Sprint(voters, " voters, ", part), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					before := newWorld(t, 1)
					lost := before.cluster(voters, "o")
					lost[0].fill("old")
					backup, want := before.as(part, lost).backup(), lost[0].list(true)
					lost[0].put("after the backup", "")
					given, err := persistence.Latest(t.Context(), lost[0])
					if err != nil {
						t.Fatal(err)
					}
					for _, n := range lost {
						n.crash()
					}

					w := newWorld(t, 2)
					nodes := w.cluster(voters, "n")
					n := nodes[len(nodes)-1] // is asked before there is a core
					if part == "leader" {
						n = nodes[0]
					}
					if err := n.Restore(t.Context(), bytes.NewReader(backup)); err != nil {
						t.Fatal(err)
					}
					for _, n := range nodes {
						if got := n.list(true); fmt.Sprint(got) != fmt.Sprint(want) {
							t.Errorf("%s has\n%v, want\n%v", n.name, got, want)
						}
					}
					revision, err := persistence.Put(t.Context(), nodes[1], "next", nil)
					if err != nil || revision <= given {
						t.Errorf("the next revision is %d, %v; %d was given out before", revision, err, given)
					}
					w.sameEverywhere()
					nodes[0].nothingLeftButTruce()
				})
			})
		}
	}
}

func (n *node) nothingLeftButTruce() {
	n.world.t.Helper()
	n.vanished(sessionKey(truce))
	n.nothingLeft()
}

func TestABackupTakesThePlaceOfWhatIsThere(t *testing.T) {
	for _, voters := range []int{3, 5} {
		for _, part := range parts() {
			if voters == 5 && (part != "without replica" || !thorough()) {
				continue
			}
			t.Run(fmt.Sprint(voters, " voters, ", part), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					nodes := w.cluster(voters, "a")
					nodes[0].fill("old")
					n := w.as(part, nodes)
					backup, want := n.backup(), nodes[0].list(true)
					nodes[0].fill("new")
					nodes[0].put("goes", "")
					var given persistence.Revision
					for range 2 {
						latest, err := persistence.Latest(t.Context(), nodes[0])
						if err != nil || latest <= given {
							t.Fatalf("revision %d after %d, %v", latest, given, err)
						}
						given = latest
						if err := n.Restore(t.Context(), bytes.NewReader(backup)); err != nil {
							t.Fatal(err)
						}
						if got := n.list(true); fmt.Sprint(got) != fmt.Sprint(want) {
							t.Errorf("%s has\n%v, want\n%v", n.name, got, want)
						}
						// What was read before is not what is there now.
						if _, err := persistence.CompareAndSwap(t.Context(), n, "goes", given, nil); !errors.Is(err, persistence.ErrConflict) {
							t.Errorf("a swap of what is gone: %v", err)
						}
						nodes[0].put("after", "")
					}
					w.sameEverywhere()
					nodes[0].nothingLeftButTruce()
				})
			})
		}
	}
}

func TestARestorationHappensAsAWholeOrNotAtAll(t *testing.T) {
	outcomes := map[string]int{}
	for _, fault := range []string{"the leader crashes", "the leader is cut off", "the node is cut off"} {
		for seed := range seeds(4) {
			t.Run(fmt.Sprint(fault, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, seed)
					nodes := w.cluster(3+2*int(seed%2), "a")
					nodes[0].fill("old")
					old := nodes[0].list(true)
					backup := nodes[0].backup()
					for _, key := range []string{"goes", "key 1", "key 9"} {
						nodes[0].put(key, "present")
					}
					present := nodes[0].list(true)
					n := nodes[len(nodes)-1-int(seed/2)%3]
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					done := make(chan error, 1)
					go func() { done <- n.Restore(ctx, bytes.NewReader(backup)) }()
					<-time.After(time.Duration(1+9*seed) * time.Millisecond)
					leader := w.leader()
					switch {
					case fault == "the node is cut off" || leader == n:
						w.split(n.name)
					case fault == "the leader crashes":
						leader.crash()
					default:
						w.split(leader.name)
					}
					var err error
					select {
					case err = <-done:
					case <-time.After(20 * time.Second):
						w.heal()
						err = <-done
					}
					w.heal()
					<-time.After(10 * time.Second)
					var witness *node
					for _, other := range nodes {
						if other.alive {
							witness = other
						}
					}
					got := fmt.Sprint(witness.list(true))
					restored := got == fmt.Sprint(old)
					if !restored && got != fmt.Sprint(present) {
						t.Errorf("after %v there is a mixture: %.500s", err, got)
					}
					if (err == nil && !restored) || (err != nil && restored && !errors.Is(err, ErrOutcomeUnknown)) {
						t.Errorf("restored: %v; Restore says %v", restored, err)
					}
					if err == nil {
						outcomes["restored"]++
					} else {
						outcomes[fmt.Sprint("restored: ", restored, ", error ", actor.CodeOf(err))]++
					}
					witness.put("after", "")
					w.sameEverywhere()
					witness.nothingLeftButTruce()
				})
			})
		}
	}
	t.Log(outcomes)
}

func TestABackupThatIsNotWholeChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.cluster(3, "a")
		nodes[0].put("k", "old")
		nodes[0].put("l", "old")
		small := nodes[0].backup()
		nodes[0].fill("old")
		large := nodes[0].backup()
		nodes[0].put("k", "present")
		before, err := persistence.Latest(t.Context(), nodes[0])
		if err != nil {
			t.Fatal(err)
		}
		n := w.as("without replica", nodes)
		refused := func(what string, stream []byte, want error) {
			t.Helper()
			if err := n.Restore(t.Context(), bytes.NewReader(stream)); !errors.Is(err, want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for at := range small {
			refused(fmt.Sprint("cut at ", at), small[:at], persistence.ErrCorrupt)
			damaged := bytes.Clone(small)
			damaged[at] ^= 0x20
			refused(fmt.Sprint("changed at ", at), damaged, persistence.ErrCorrupt)
		}
		refused("another format", []byte("SQLite format 3\x00"), persistence.ErrCorrupt)
		if after, err := persistence.Latest(t.Context(), nodes[0]); err != nil || after != before {
			t.Errorf("the store went from revision %d to %d, %v", before, after, err)
		}
		// What is longer than a part is in the store for a while.
		for _, at := range []int{partSize - 1, partSize, partSize + 1, 2 * partSize, len(large) - 1} {
			refused(fmt.Sprint("cut at ", at), large[:at], persistence.ErrCorrupt)
			nodes[0].nothingLeft()
		}
		damaged := bytes.Clone(large)
		damaged[partSize+partSize/2] ^= 1
		refused("changed in the second part", damaged, persistence.ErrCorrupt)
		broken := errors.New("broken")
		if err := n.Restore(t.Context(), &failing{large[:partSize+1], broken}); !errors.Is(err, broken) {
			t.Errorf("a reader that fails: %v", err)
		}
		nodes[0].nothingLeft()
		nodes[1].want("k", "present")
		if after, err := persistence.Latest(t.Context(), nodes[0]); err != nil || after > before+100 {
			t.Errorf("the store went from revision %d to %d, %v", before, after, err)
		}
	})
}

// failing is a stream that ends with an error.
type failing struct {
	rest []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	if n == 0 {
		return 0, f.err
	}
	return n, nil
}

func TestSessionsEndWithARestorationBeforeOthersBegin(t *testing.T) {
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprint("owner cut off ", cut), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				nodes := w.cluster(3, "a")
				nodes[0].put("ready", "")
				n, other := nodes[4], nodes[3]
				early := n.open("in the backup")
				if _, err := n.System().Commit(t.Context(), put("nobody's", "")); err != nil {
					t.Fatal(err)
				}
				backup := other.backup()
				late := n.open("after the backup")
				if cut {
					w.split(n.name)
				}
				start := time.Now()
				if err := other.Restore(t.Context(), bytes.NewReader(backup)); err != nil {
					t.Fatal(err)
				}
				// What they owned is gone at once: who waits for it with a session of
				// before must not find it free, one after the other.
				records, err := other.System().List(t.Context(), persistence.Query{})
				if err != nil || len(records) != 2 || records[0].Key != "nobody's" || records[1].Key != sessionKey(truce) {
					t.Errorf("what is there of the system: %+v, %v", records, err)
				}
				if cut && (early.Err() != nil || late.Err() != nil) {
					t.Error("who is cut off knows too soon: this tests nothing")
				}
				next, err := other.OpenSession(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range []*Session{early, late} {
					select {
					case <-s.Done():
					default:
						t.Error("another session has begun before one of before has ended")
					}
					if !errors.Is(s.Err(), ErrSessionEnded) {
						t.Errorf("Err returns %v", s.Err())
					}
				}
				if took := time.Since(start); took > 2*w.timing.SessionTTL {
					t.Errorf("the next session was opened after %v", took)
				}
				if _, err := other.System().Commit(t.Context(), early.Own(put("x", ""), "x")); !errors.Is(err, persistence.ErrConflict) {
					t.Errorf("a session of before owns: %v", err)
				}
				<-time.After(time.Minute)
				if err := next.Err(); err != nil {
					t.Errorf("the next session: %v", err)
				}
				w.heal()
				<-time.After(10 * time.Second)
				again, err := n.OpenSession(t.Context())
				if err != nil || again.Err() != nil {
					t.Errorf("a session of the node that was cut off: %v", err)
				}
			})
		})
	}
}

// TestTruceLastsOverLeaders: each new leader gives the sessions of before their time.
func TestTruceLastsOverLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.cluster(3, "a")
		nodes[0].put("ready", "")
		n, other := nodes[4], nodes[3]
		backup := other.backup()
		<-time.After(time.Second)
		held := n.open("key")
		w.split(n.name)
		if err := other.Restore(t.Context(), bytes.NewReader(backup)); err != nil {
			t.Fatal(err)
		}
		w.leader().crash()
		w.leader()
		if _, err := other.OpenSession(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held.Err() == nil {
			t.Error("another session has begun before that of before has ended")
		}
		w.heal()
	})
}

func TestWatchersLearnOfARestoration(t *testing.T) {
	for _, part := range parts() {
		for _, caller := range []string{"leader", "without replica"} {
			t.Run(part+", restored by "+caller, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					nodes := w.cluster(3, "a")
					nodes[0].put("watched", "old")
					backup := nodes[0].backup()
					nodes[0].put("watched", "present")
					n := w.as(part, nodes)
					latest, err := persistence.Latest(t.Context(), n)
					if err != nil {
						t.Fatal(err)
					}
					ended := make(chan error, 1)
					go func() {
						for changes, err := range n.Watch(t.Context(), "watched", latest) {
							if err != nil {
								ended <- err
								return
							}
							ended <- fmt.Errorf("yields %+v", changes)
							return
						}
					}()
					<-time.After(10 * time.Second) // it has nothing to do but wait
					start := time.Now()
					if err := w.as(caller, nodes).Restore(t.Context(), bytes.NewReader(backup)); err != nil {
						t.Fatal(err)
					}
					if err := <-ended; !errors.Is(err, persistence.ErrHistoryGone) || time.Since(start) > 5*time.Second {
						t.Errorf("after %v a watch ends with %v", time.Since(start), err)
					}
					n.want("watched", "old")
				})
			})
		}
	}
}

func TestOnlyItsNodeRestoresWhatASessionHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		s := nodes[0].open()
		st := &staging{core: nodes[1].Core, ctx: t.Context(), session: s, parts: 1}
		if err := st.restore(); !errors.Is(err, actor.PermissionDenied) {
			t.Error(err)
		}
	})
}
