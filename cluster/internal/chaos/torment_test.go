package chaos

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// doll is a cluster of nothing, that complains about what cannot be done to one.
type doll struct {
	t       *testing.T
	nodes   int
	down    map[int]bool
	cut     map[[2]int]bool
	paused  map[int]bool
	hanging map[int]bool
	voting  bool
	wiped   time.Time // the last one
}

func newDoll(t *testing.T, nodes int) *doll {
	return &doll{t: t, nodes: nodes, down: map[int]bool{}, cut: map[[2]int]bool{}, paused: map[int]bool{}, hanging: map[int]bool{}}
}

func (d *doll) turn(what string, set map[int]bool, node int, on bool) {
	if set[node] == on {
		d.t.Errorf("%s of node %d twice", what, node)
	}
	if on {
		set[node] = true
	} else {
		delete(set, node)
	}
}

func (d *doll) whole() bool {
	return len(d.down)+len(d.cut)+len(d.paused)+len(d.hanging) == 0
}

func (d *doll) Nodes() int { return d.nodes }
func (d *doll) Leader() int {
	if !d.whole() {
		d.t.Error("the leader was asked for during a fault")
	}
	return 0
}
func (d *doll) AwaitVoters()     { d.voting = d.whole() }
func (d *doll) Cut(from, to int) { d.cut[[2]int{from, to}] = true }
func (d *doll) Heal()            { clear(d.cut) }
func (d *doll) Kill(i int)       { d.turn("kill", d.down, i, true) }
func (d *doll) Leave(i int)      { d.turn("leave", d.down, i, true) }
func (d *doll) Restart(i int)    { d.turn("restart", d.down, i, false) }
func (d *doll) Pause(i int)      { d.turn("pause", d.paused, i, true) }
func (d *doll) Resume(i int)     { d.turn("resume", d.paused, i, false) }
func (d *doll) CanHang() bool    { return true }
func (d *doll) Hang(i int)       { d.turn("hang", d.hanging, i, true) }
func (d *doll) Unhang(i int)     { d.turn("unhang", d.hanging, i, false) }

func (d *doll) Wipe(i int) {
	if !d.down[i] || len(d.down) > 1 || !d.voting {
		d.t.Errorf("the disk of node %d was wiped when these were down: %v; all were voters: %v", i, d.down, d.voting)
	}
	d.voting = false
	if !d.wiped.IsZero() && time.Since(d.wiped) < copying {
		d.t.Errorf("another disk was wiped %v after the last", time.Since(d.wiped))
	}
	d.wiped = time.Now()
}

func TestFaultsAreTakenBack(t *testing.T) {
	for _, nodes := range []int{3, 5} {
		synctest.Test(t, func(t *testing.T) {
			target := newDoll(t, nodes)
			seen := map[string]int{}
			began := time.Now()
			times := Torment(t.Context(), target, Plan{Seed: 3, Length: time.Hour, Log: func(what string) {
				_, what, _ = strings.Cut(what, ": ")
				name, _, _ := strings.Cut(what, ": ")
				seen[name]++
			}})
			if took := time.Since(began); took < time.Hour || took > time.Hour+90*time.Second {
				t.Errorf("an hour took %v", took)
			}
			if !target.whole() {
				t.Errorf("at the end: down %v, cut %v, paused %v, hanging %v", target.down, target.cut, target.paused, target.hanging)
			}
			least, most := 1<<30, 0
			for _, f := range faults(target) {
				least, most = min(least, seen[f.name]), max(most, seen[f.name])
			}
			if least == 0 || most > least+1 {
				t.Errorf("faults came unevenly: %v", seen)
			}
			for _, a := range times {
				if a.Ended == forever || a.Ended < a.Began+int64(settling) {
					t.Errorf("node %d was apart %v", a.Node, fmt.Sprint(a))
				}
			}
		})
	}
}

func TestFaultsAreChosenByTheirNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		Torment(t.Context(), newDoll(t, 3), Plan{Seed: 1, Length: 5 * time.Minute, Kinds: []string{"wipe", "in turn"}, Log: func(what string) {
			if !strings.Contains(what, "wipe a disk") && !strings.Contains(what, "stop all in turn") {
				t.Error(what)
			}
		}})
	})
}

func TestWhatTakesLongDoesNotBeginAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		Torment(t.Context(), newDoll(t, 3), Plan{Seed: 1, Length: 15 * time.Second, Kinds: []string{"wipe", "one after the other"}, Log: func(what string) {
			t.Error(what)
		}})
	})
}
