package consensus

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func (n *node) status() Status {
	n.world.t.Helper()
	s, err := n.Status(n.world.t.Context())
	if err != nil {
		n.world.t.Errorf("Status at %s: %v", n.name, err)
	}
	return s
}

func TestStatusIsTheSameOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.cluster(3, "a")
		<-time.After(2 * time.Second)
		for _, n := range nodes {
			if s := n.status(); !reflect.DeepEqual(s, Status{}) {
				t.Errorf("before the first use, %s says %+v", n.name, s)
			}
		}
		for range 2 {
			nodes[4].put("k", "")
			latest, err := persistence.Latest(t.Context(), nodes[4])
			if err != nil {
				t.Fatal(err)
			}
			leader := w.leader()
			want := Status{Quorum: true, Leader: leader.name, Voters: []string{"a0", "a1", "a2"}, Revision: latest, MayLose: 1}
			for _, name := range want.Voters {
				want.Replicas = append(want.Replicas, Replica{Node: name, Voter: true, Current: true, Revision: latest})
			}
			<-time.After(time.Second) // the others have applied it
			for _, n := range nodes {
				if s := n.status(); !reflect.DeepEqual(s, want) {
					t.Errorf("%s says\n%+v, want\n%+v", n.name, s, want)
				}
			}
			if err := leader.local().StepDown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStatusWithoutAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.cluster(3, "a")
		nodes[0].put("k", "")
		for _, n := range nodes {
			n.want("k", "")
		}
		<-time.After(time.Second)
		revision := w.leader().status().Revision
		for _, n := range nodes {
			w.split(n.name)
		}
		<-time.After(10 * time.Second)
		for _, n := range nodes {
			want := Status{Voters: []string{"a0", "a1", "a2"}}
			for _, name := range want.Voters {
				r := Replica{Node: name, Voter: true}
				if name == n.name { // it knows of nobody else
					r.Revision, want.Revision = revision, revision
				}
				want.Replicas = append(want.Replicas, r)
			}
			start := time.Now()
			s := n.status()
			if !strings.Contains(s.Waiting, "a minority; missing: ") {
				t.Errorf("%s waits for %q", n.name, s.Waiting)
			}
			s.Waiting = ""
			if took := time.Since(start); !reflect.DeepEqual(s, want) || took > 1300*time.Millisecond {
				t.Errorf("%s says after %v\n%+v, want\n%+v", n.name, took, s, want)
			}
		}
		w.heal()
		if err := nodes[0].Close(); err != nil {
			t.Fatal(err)
		}
		if s, err := nodes[0].Status(t.Context()); !errors.Is(err, persistence.ErrClosed) {
			t.Error(fmt.Sprint(s), err)
		}
	})
}
