package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// A message and a pointer to it are one message, here and there.

func TestAMessageAndItsPointerAreOneMessageEverywhere(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		notes := make(map[string][]int)
		values := actor.Define("values", func() string { return "values" },
			actor.OnCall(func(_ string, _ *actor.Context, m Echo) ([]byte, error) { return m.Text, nil }),
			actor.OnCast(func(name string, _ *actor.Context, m Note) error {
				notes[m.From] = append(notes[m.From], m.N)
				return nil
			}))
		pointers := actor.Define("pointers", func() string { return "pointers" },
			actor.OnCall(func(_ string, _ *actor.Context, m *Echo) ([]byte, error) { return m.Text, nil }),
			actor.OnCast(func(name string, _ *actor.Context, m *Note) error {
				notes[m.From] = append(notes[m.From], m.N)
				return nil
			}))
		for _, d := range []actor.Definition[Worker]{values, pointers} {
			for i, n := range c.Nodes() {
				ref, err := actor.Spawn(n.System(), d)
				if err != nil {
					t.Fatal(err)
				}
				ref = refFor(t, c.Node(0), ref)
				what := fmt.Sprint(d.Name(), " on node ", i)
				for _, ask := range []func(context.Context) ([]byte, error){
					func(ctx context.Context) ([]byte, error) { return actor.Ask(ctx, ref, Echo{Text: []byte("a")}) },
					func(ctx context.Context) ([]byte, error) { return actor.Ask(ctx, ref, &Echo{Text: []byte("a")}) },
				} {
					if got, err := ask(within(t, time.Minute)); string(got) != "a" || err != nil {
						t.Errorf("%s: %q, %v", what, got, err)
					}
				}
				for _, err := range []error{
					actor.Tell(ref, Note{From: what, N: 1}), actor.Tell(ref, &Note{From: what, N: 2}),
					actor.TellContext(t.Context(), ref, Note{From: what, N: 3}), actor.TellContext(t.Context(), ref, &Note{From: what, N: 4}),
				} {
					if err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				if fmt.Sprint(notes[what]) != "[1 2 3 4]" {
					t.Error(what, notes[what])
				}
				if _, err := actor.Ask(within(t, time.Minute), ref, (*Echo)(nil)); actor.CodeOf(err) != actor.InvalidArgument {
					t.Error("nil:", err)
				}
			}
		}
	})
}

// keyed has its key and its mark by pointer.
type keyed struct {
	actor.Call[Worker, string]
	Key string
}

func (k *keyed) RouteKey() string { return k.Key }
func (*keyed) ActorIdempotent()   {}

func TestTheKeyAndTheMarkOfAMessageAreThoseOfItsPointer(t *testing.T) {
	candidates := make([]cluster.Instance, 5)
	for i := range candidates {
		candidates[i].Node = fmt.Sprint("node-", i)
	}
	for i := range 10 {
		m := keyed{Key: fmt.Sprint(i)}
		a, err := cluster.ConsistentHash{}.Pick(m, candidates)
		b, other := cluster.ConsistentHash{}.Pick(&m, candidates)
		if err != nil || other != nil || a != b {
			t.Error(a, err, b, other)
		}
	}
	if !actor.IsIdempotent(keyed{}) || !actor.IsIdempotent(&keyed{}) || actor.IsIdempotent(Echo{}) {
		t.Error("the mark")
	}
}
