package e2e

import (
	"testing"
	"time"
)

// What is promised, and what the tests allow on machines that have other things to do.
const (
	leavePromise = 500 * time.Millisecond
	killPromise  = 5 * time.Second
	fastPromise  = 2 * time.Second
	allowance    = 3
)

// TestVirtualActorsAndTheSingletonMoveInTime ends a node that leads the store, and one
// that does not.
func TestVirtualActorsAndTheSingletonMoveInTime(t *testing.T) {
	t.Parallel()
	for _, timing := range []struct {
		name string
		env  string
		kill time.Duration
	}{
		{"LAN", "lan", killPromise}, // the default, unless all are on one host
		{"Local", "local", fastPromise},
	} {
		for _, end := range []struct {
			name    string
			how     func(*process)
			leader  bool
			promise time.Duration
		}{
			{"leave", (*process).quit, false, leavePromise},
			{"leave of the leader", (*process).quit, true, leavePromise},
			{"SIGKILL", (*process).kill, false, timing.kill},
			{"SIGKILL of the leader", (*process).kill, true, timing.kill},
		} {
			t.Run(timing.name+", "+end.name, func(t *testing.T) { // one at a time: what is measured is time
				dir, processes := t.TempDir(), make(map[string]*process)
				var nodes []*process
				for _, name := range []string{"a", "b", "c"} {
					p := node(t, name, dir, "TROUPE_E2E_EXPECT=3", "TROUPE_E2E_TIMING="+timing.env)
					processes[name], nodes = p, append(nodes, p)
				}
				all(nodes, "meet", "a", "b", "c")
				all(nodes, "write")
				all(nodes, "beat")
				leader := get[string](nodes[0], "led")
				watch := nodes[0]
				if watch.name == leader {
					watch = nodes[1]
				}
				watch.do("feel")
				watch.do("spread", "a", "b", "c")
				victim := leader
				if !end.leader {
					for name, p := range processes {
						if name != leader && p != watch {
							victim = name
						}
					}
				}
				watch.do("mark")
				end.how(processes[victim])
				r := get[pulseReport](watch, "moved", victim)
				t.Logf("%d actors were gone for %v at most, the singleton for %v, those of other nodes for %v",
					r.Actors, round(r.Moved), round(r.Singleton), round(r.Stayed))
				if longest := max(r.Moved, r.Singleton); r.Actors == 0 || longest > allowance*end.promise {
					t.Errorf("%d actors were gone for %v, %v is promised", r.Actors, longest, end.promise)
				}
			})
		}
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
