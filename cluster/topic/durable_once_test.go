package topic

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

// Till is the protocol of an actor that adds up what it is told.
type Till struct{}

// Total asks it.
type Total struct{ actor.Call[Till, Sum] }

// Sum is what it keeps: the total, with the last event of each partition that is in it.
type Sum struct {
	Total int
	Seen  map[int]uint64
}

type till struct {
	state *persistence.State[Sum]
	fail  func() error
}

func (a *till) Started(ctx *actor.Context) error { return a.state.Load(ctx) }

// placed takes each event once: those of one key come in order, and here all have one.
func (a *till) placed(ctx *actor.Context, m Message[Till, Placed]) (Ack, error) {
	s := a.state.Value()
	if m.Offset > s.Seen[m.Partition] {
		seen := map[int]uint64{m.Partition: m.Offset}
		for p, o := range s.Seen {
			seen[p] = max(seen[p], o)
		}
		a.state.Save(ctx, Sum{s.Total + m.Value.N, seen})
	}
	return Ack{}, a.fail() // after the fact
}

func (a *till) total(*actor.Context, Total) (Sum, error) { return a.state.Value(), nil }

func TestAnActorThatKeepsItsPositionTakesEachEventOnce(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		calls := 0
		serve := func(n *cluster.Node) actor.Ref[Till] {
			to, err := actor.Spawn(n.System(), actor.Define("till", func() *till {
				return &till{persistence.NewState[Sum](n.Store()), func() error {
					if calls++; calls%3 == 0 {
						return errors.New("the answer is lost")
					}
					return nil
				}}
			}, actor.OnCall((*till).placed), actor.OnCall((*till).total)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := SubscribeActor(t.Context(), durable(n), to, Group("till")); err != nil {
				t.Fatal(err)
			}
			return to
		}
		serve(c.Node(2))
		want := 0
		for i := range 30 {
			put(t, durable(c.Node(0)), Placed{N: i}, Key("ada"))
			want += i
			if i == 15 {
				c.Crash(2)
			}
		}
		settle()
		to := serve(c.Node(1))
		<-time.After(time.Minute)
		s, err := actor.Ask(t.Context(), to, Total{})
		if err != nil || s.Total != want {
			t.Errorf("the total is %d, want %d, after %d calls: %v", s.Total, want, calls, err)
		}
		if g := inspectGroup(t, durable(c.Node(0)), "till"); g.Lag != 0 || g.Redelivered == 0 || g.DeadLetters > 0 {
			t.Errorf("%+v", g)
		}
	})
}
