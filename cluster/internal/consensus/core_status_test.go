package consensus

import (
	"errors"
	"fmt"
	"reflect"
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
			want := Status{Quorum: true, Leader: leader.name, Voters: []string{"a0", "a1", "a2"}, Revision: latest}
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
			if n.local() != nil {
				want.Revision = revision
			}
			start := time.Now()
			if s := n.status(); !reflect.DeepEqual(s, want) || time.Since(start) > time.Second {
				t.Errorf("%s says after %v\n%+v, want\n%+v", n.name, time.Since(start), s, want)
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
