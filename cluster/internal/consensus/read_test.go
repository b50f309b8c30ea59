package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/troupe-go/troupe/persistence"
)

// operation is a read, a write or a swap of one key, whose outcome may be unknown.
type operation struct {
	key    int
	read   bool
	swap   bool
	expect persistence.Revision // of a swap
	value  string
}

// outcome is what a read has found, or the revision of a write.
type outcome struct {
	unknown  bool
	conflict bool
	revision persistence.Revision // 0: no record
	value    string
}

// registers is the model of one key of a store. An operation of unknown outcome fits
// anywhere: it is taken to have happened at its place or, as the last, without effect.
func registers() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[int][]porcupine.Operation{}
			for _, o := range history {
				byKey[o.Input.(operation).key] = append(byKey[o.Input.(operation).key], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range byKey {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return outcome{} },
		Step: func(state, input, output any) (bool, any) {
			now, in, out := state.(outcome), input.(operation), output.(outcome)
			// A write of unknown outcome leaves a record whose revision a later read tells.
			known := func(revision persistence.Revision) bool { return now.unknown || now.revision == revision }
			switch {
			case in.read:
				return now.value == out.value && known(out.revision), outcome{revision: out.revision, value: out.value}
			case out.conflict:
				return now.unknown || now.revision != in.expect, now
			case in.swap && !known(in.expect):
				return out.unknown, now
			case out.unknown:
				return true, outcome{unknown: true, value: in.value}
			}
			return out.revision > now.revision, outcome{revision: out.revision, value: in.value}
		},
	}
}

func TestHistoriesUnderFaultsAreLinearizable(t *testing.T) {
	for seed := range seeds(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				w.slowest = 20 * time.Millisecond
				nodes := w.three("a", "b", "c", "d")
				start := time.Now()
				var mu sync.Mutex
				var history []porcupine.Operation
				stop := make(chan struct{})
				var callers sync.WaitGroup
				for caller := range 8 {
					callers.Go(func() {
						random := rand.New(rand.NewPCG(seed, uint64(caller)))
						seen := map[int]persistence.Revision{}
						for i := 0; ; i++ {
							select {
							case <-stop:
								return
							case <-time.After(time.Duration(random.IntN(150)) * time.Millisecond):
							}
							in := operation{key: random.IntN(3), value: fmt.Sprint(caller, ".", i)}
							in.read, in.swap = random.IntN(2) == 0, random.IntN(2) == 0
							in.expect = seen[in.key]
							call := time.Since(start)
							out, err := nodes[caller%4].do(in)
							end := time.Since(start)
							if out.unknown {
								end = time.Hour
							}
							if err != nil && !out.unknown {
								nodes[caller%4].tolerate(err)
								continue
							}
							if in.read {
								seen[in.key] = out.revision
							}
							mu.Lock()
							history = append(history, porcupine.Operation{ClientId: len(history), Input: in, Call: int64(call), Output: out, Return: int64(end)})
							mu.Unlock()
						}
					})
				}
				w.unsettle(25 * time.Second)
				close(stop)
				callers.Wait()
				unknown := 0
				for _, o := range history {
					if o.Output.(outcome).unknown {
						unknown++
					}
				}
				if len(history) < 100 {
					t.Errorf("only %d operations were done", len(history))
				}
				if !porcupine.CheckOperations(registers(), history) {
					t.Errorf("a history of %d operations, %d of unknown outcome, is not linearizable", len(history), unknown)
				}
			})
		})
	}
}

func (n *node) do(in operation) (outcome, error) {
	ctx := context.Background()
	key := fmt.Sprint("key", in.key)
	if in.read {
		r, err := n.Get(ctx, key)
		if errors.Is(err, persistence.ErrNotFound) {
			return outcome{}, nil
		}
		return outcome{revision: r.Revision, value: string(r.Value)}, err
	}
	var revision persistence.Revision
	var err error
	if in.swap {
		revision, err = persistence.CompareAndSwap(ctx, n, key, in.expect, []byte(in.value))
	} else {
		revision, err = persistence.Put(ctx, n, key, []byte(in.value))
	}
	if errors.Is(err, persistence.ErrConflict) {
		return outcome{conflict: true}, nil
	}
	return outcome{revision: revision, unknown: errors.Is(err, ErrOutcomeUnknown)}, err
}

func TestStaleReadNeedsNoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		nodes[0].put("k", "v")
		<-time.After(time.Second)
		d := pick(nodes, false, false)
		for _, n := range nodes {
			if n != d {
				for _, other := range nodes {
					if other != d && other != n {
						w.cut(n.name, other.name)
					}
				}
			}
		}
		<-time.After(3 * time.Second)
		for _, n := range nodes {
			if r, err := n.Get(t.Context(), "k", persistence.Stale); err != nil || string(r.Value) != "v" {
				t.Errorf("a stale read at %s: %+v, %v", n.name, r, err)
			}
			if records, err := n.List(t.Context(), persistence.Query{}, persistence.Stale); err != nil || len(records) != 2 {
				t.Errorf("a stale list at %s: %+v, %v", n.name, records, err)
			}
		}
	})
}

func TestLargeListComesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		value := strings.Repeat("v", 300<<10)
		var keys []string
		for i := range 30 {
			keys = append(keys, fmt.Sprintf("large %02d", i))
			nodes[0].put(keys[i], value)
		}
		<-time.After(time.Second)
		for _, n := range nodes {
			for _, options := range [][]persistence.ReadOption{nil, {persistence.Stale}} {
				for _, test := range []struct {
					q    persistence.Query
					want []string
				}{
					{persistence.Query{Prefix: "large"}, keys},
					{persistence.Query{Prefix: "large", Offset: 3, Limit: 20}, keys[3:23]},
					{persistence.Query{Prefix: "large", After: keys[3], Limit: 25}, keys[4:29]},
				} {
					records, err := n.List(t.Context(), test.q, options...)
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					for _, r := range records {
						got = append(got, r.Key)
						if string(r.Value) != value {
							t.Errorf("%s has %d bytes", r.Key, len(r.Value))
						}
					}
					if !slices.Equal(got, test.want) {
						t.Errorf("%s lists %q for %+v, want %q", n.name, got, test.q, test.want)
					}
				}
			}
		}
	})
}
