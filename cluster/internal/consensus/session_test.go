package consensus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// open starts a session, and has it own a record.
func (n *node) open(keys ...string) *Session {
	n.world.t.Helper()
	s, err := n.OpenSession(context.Background())
	if err != nil {
		n.world.t.Fatalf("OpenSession at %s: %v", n.name, err)
	}
	n.own(s, keys...)
	return s
}

func (n *node) own(s *Session, keys ...string) {
	n.world.t.Helper()
	for len(keys) > 0 {
		some := keys[:min(100, len(keys))]
		keys = keys[len(some):]
		var t persistence.Transaction
		for _, key := range some {
			t.Then = append(t.Then, persistence.Change{Key: key, Value: []byte(s.ID())})
		}
		if _, err := n.System().Commit(context.Background(), s.Own(t, some...)); err != nil {
			n.world.t.Fatalf("owning at %s: %v", n.name, err)
		}
	}
}

// vanished waits until there is no such record, and returns when that was.
func (n *node) vanished(key string) time.Time {
	for {
		if _, err := n.System().Get(context.Background(), key); errors.Is(err, persistence.ErrNotFound) {
			return time.Now()
		}
		<-time.After(10 * time.Millisecond)
	}
}

// nothingLeft checks that no session has left anything.
func (n *node) nothingLeft() {
	n.world.t.Helper()
	records, err := n.System().List(context.Background(), persistence.Query{})
	if err != nil || len(records) > 0 {
		n.world.t.Errorf("what is left of sessions: %d records, %v", len(records), err)
	}
}

func TestSessionLastsWhileItIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for _, n := range w.three("a", "b", "c", "d") {
			revision, err := persistence.Latest(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			s := n.open("mine of " + n.name)
			opened, err := persistence.Latest(t.Context(), n)
			if err != nil || opened != revision+2 {
				t.Errorf("opening a session and owning took the store from revision %d to %d, %v", revision, opened, err)
			}
			<-time.After(time.Minute)
			if err := s.Err(); err != nil {
				t.Errorf("the session of %s: %v", n.name, err)
			}
			if r, err := n.System().Get(t.Context(), "mine of "+n.name); err != nil || string(r.Value) != s.ID() {
				t.Errorf("what it owns: %+v, %v", r, err)
			}
			if after, err := persistence.Latest(t.Context(), n); err != nil || after != opened {
				t.Errorf("renewals took the store from revision %d to %d, %v", opened, after, err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
			if !errors.Is(s.Err(), ErrSessionEnded) {
				t.Errorf("a closed session: %v", s.Err())
			}
			<-s.Done()
			n.nothingLeft()
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("Close again: %v", err)
			}
		}
	})
}

func TestSessionOfACrashedNodeExpires(t *testing.T) {
	for _, who := range []string{"leader", "follower", "without replica"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				nodes := w.three("a", "b", "c", "d")
				n := w.leader()
				switch who {
				case "follower":
					n = pick(nodes, true, false)
				case "without replica":
					n = pick(nodes, false, false)
				}
				n.open("key")
				<-time.After(time.Duration(w.intN(3000)) * time.Millisecond)
				crashed := time.Now()
				n.crash()
				other := nodes[0]
				if other == n {
					other = nodes[1]
				}
				took := other.vanished("key").Sub(crashed)
				if took < w.timing.SessionTTL-w.timing.renewal()-100*time.Millisecond || took > 5*time.Second {
					t.Errorf("what it owned was there for %v", took)
				}
				other.nothingLeft()
			})
		})
	}
}

// TestOwnerStopsBeforeTheLeaderExpires cuts the owner off in different ways.
func TestOwnerStopsBeforeTheLeaderExpires(t *testing.T) {
	for _, timing := range []Timing{Local(), LAN(), WAN()} {
		for seed := range seeds(6) {
			t.Run(fmt.Sprint(timing.Heartbeat, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, seed)
					w.timing = timing
					nodes := w.three("a", "b", "c", "d", "e")
					n := nodes[w.intN(5)]
					s := n.open("key")
					<-time.After(time.Duration(w.intN(5000)) * time.Millisecond)
					start := time.Now()
					switch seed % 3 {
					case 0:
						w.split(n.name)
					case 1:
						w.cutFrom(n.name)
					default:
						w.cutTo(n.name)
					}
					gone := make(chan time.Time, 1)
					for _, other := range nodes {
						if other != n {
							go func() { gone <- other.vanished("key") }()
							break
						}
					}
					<-s.Done()
					stopped := time.Now()
					if err := s.Err(); !errors.Is(err, ErrSessionEnded) {
						t.Errorf("the session ended with %v", err)
					}
					vanished := <-gone
					if !stopped.Before(vanished) {
						t.Errorf("the owner stopped after %v, the record vanished after %v", stopped.Sub(start), vanished.Sub(start))
					}
					if took := stopped.Sub(start); took > timing.SessionTTL {
						t.Errorf("the owner went on for %v", took)
					}
				})
			})
		}
	}
}

// TestSessionsOutliveTheLeader allows for elections that need several rounds.
func TestSessionsOutliveTheLeader(t *testing.T) {
	for _, timing := range []Timing{Local(), LAN(), WAN()} {
		ended, all := 0, 0
		for seed := range seeds(10) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				w.timing = timing
				nodes := w.three("a", "b", "c", "d")
				leader := w.leader()
				var sessions []*Session
				for _, n := range nodes {
					if n != leader {
						sessions = append(sessions, n.open("of "+n.name))
					}
				}
				<-time.After(time.Duration(w.intN(5000)) * time.Millisecond)
				leader.crash()
				<-time.After(w.detect + 2*timing.SessionTTL) // what ends has ended by then
				for _, s := range sessions {
					all++
					if s.Err() != nil {
						ended++
					}
				}
			})
		}
		if ended > max(3, all/5) {
			t.Errorf("with a heartbeat of %v, %d of %d sessions ended when the leader crashed", timing.Heartbeat, ended, all)
		}
	}
}

// TestALateSessionIsEndedAtOnce has an election take longer than a session may hold: its
// node has given up what it owns, so that nobody has to wait until the new leader has
// counted to the end.
func TestALateSessionIsEndedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c")
		owner := pick(nodes, true, false)
		s := owner.open("key")
		<-time.After(time.Second)
		w.split("a")
		w.split("b")
		<-s.Done()
		w.heal()
		l := w.leader()
		led := time.Now()
		if took := l.vanished("key").Sub(led); took > w.timing.SessionTTL/2 {
			t.Errorf("what a session that had ended on its node owned was there for %v under the new leader", took)
		}
		owner.open("key")
	})
}

func TestNewLeaderGivesAllOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		d := pick(nodes, false, false)
		d.open("key")
		<-time.After(5 * time.Second)
		w.split(d.name) // its last renewal is at most an interval old
		<-time.After(w.timing.SessionTTL / 2)
		if err := w.leader().local().StepDown(t.Context()); err != nil {
			t.Fatal(err)
		}
		l := w.leader()
		led := time.Now()
		if took := l.vanished("key").Sub(led); took < w.timing.SessionTTL-100*time.Millisecond || took > w.timing.SessionTTL+500*time.Millisecond {
			t.Errorf("the new leader expired it after %v", took)
		}
	})
}

func TestWhatIsOwnedVanishesAlsoIfTheLeaderCrashesMeanwhile(t *testing.T) {
	for seed := range seeds(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				nodes := w.three("a", "b", "c", "d")
				d := pick(nodes, false, false)
				s := d.open()
				var keys []string
				for i := range 5 * cleanChunk {
					keys = append(keys, fmt.Sprintf("owned by d %d", i))
				}
				d.own(s, keys...)
				other := pick(nodes, true, false)
				d.crash()
				leader := w.leader()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				deletions := w.intN(6)
				latest, err := persistence.Latest(t.Context(), other)
				if err != nil {
					t.Fatal(err)
				}
				for c, err := range other.System().Watch(ctx, "", latest) {
					if err != nil {
						t.Fatal(err)
					}
					if deletions--; deletions < 0 && c.Changes[0].Delete {
						break
					}
				}
				if leader != other {
					leader.crash()
				} else if err := leader.local().StepDown(ctx); err != nil {
					t.Error(err)
				}
				for _, key := range keys {
					other.vanished(key)
				}
				<-time.After(time.Second)
				other.nothingLeft()
			})
		})
	}
}

func TestEndedSessionOwnsNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		d := pick(nodes, false, false)
		s := d.open("first")
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := d.System().Commit(t.Context(), s.Own(persistence.Transaction{Then: []persistence.Change{{Key: "second"}}}, "second"))
		if !errors.Is(err, persistence.ErrConflict) {
			t.Errorf("owning with an ended session: %v", err)
		}
		d.nothingLeft()
	})
}

func TestRecordThatAnotherHasWrittenIsNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		first, second := a.open("key", "other"), a.open()
		a.own(second, "key")
		if _, err := a.System().Commit(t.Context(), first.Disown(persistence.Transaction{Then: []persistence.Change{{Key: "other", Delete: true}}}, "other")); err != nil {
			t.Fatal(err)
		}
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r, err := a.System().Get(t.Context(), "key"); err != nil || string(r.Value) != second.ID() {
			t.Errorf("%+v, %v", r, err)
		}
		if err := second.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.nothingLeft()
	})
}

// Its timer fires at once, which must not be before the session has one.
func TestSessionWhoseOpeningTookTooLongHasEnded(t *testing.T) {
	c := &Core{config: Config{Timing: LAN()}}
	for range 1000 {
		stopped := false
		s := newSession(c, "x", 1, time.Now().Add(-time.Hour), func() { stopped = true })
		<-s.Done()
		if err := s.Err(); !errors.Is(err, ErrSessionEnded) || !stopped {
			t.Fatalf("it ended with %v; its renewing ended: %v", err, stopped)
		}
	}
}

func TestSessionEndsWithItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		s := a.open("key")
		a.crash()
		<-s.Done()
		if !errors.Is(s.Err(), ErrSessionEnded) {
			t.Error(s.Err())
		}
	})
}
