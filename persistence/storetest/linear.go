package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"

	"github.com/troupe-go/troupe/persistence"
)

// A history is what several callers did at the same time: reads, blind writes, swaps
// and transactions over a few keys. Porcupine looks for one order of all of them, in
// which each begins before it ends, that a single copy of the store would have given
// (Herlihy and Wing, 1990).

const linearKeys = 3

// operation is a read of one key, or a commit.
type operation struct {
	read   bool
	key    int
	expect [linearKeys]int64 // the revision required; -1 if any will do
	write  [linearKeys]int   // the value written, which is not 0; -1 deletes
}

// outcome is what was read, or the revision of the commit, 0 on conflict.
type outcome struct {
	revision int64
	value    int
}

// contents is a whole store.
type contents struct {
	last   int64
	record [linearKeys]outcome // revision 0 is no record
}

// model is that of a store whose last revision is known.
func model(last int64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return contents{last: last} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(contents), input.(operation), output.(outcome)
			if in.read {
				return s.record[in.key] == out, s
			}
			next, fits := s.commit(in)
			if !fits {
				return out.revision == 0, s
			}
			return out.revision == next.last, next
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
}

func (s contents) commit(in operation) (next contents, fits bool) {
	for k, expect := range in.expect {
		if expect >= 0 && s.record[k].revision != expect {
			return s, false
		}
	}
	next = s
	changed := false
	for k, value := range in.write {
		switch {
		case value > 0:
			next.record[k] = outcome{s.last + 1, value}
			changed = true
		case value < 0 && s.record[k].revision > 0:
			next.record[k] = outcome{}
			changed = true
		}
	}
	if changed {
		next.last++
	}
	return next, true
}

func historiesAreLinearizable(f *fixture) {
	const callers, each = 6, 60
	seed := rand.Uint64()
	last, err := persistence.Latest(f.Context(), f)
	if err != nil {
		f.Fatal(err)
	}
	var clock atomic.Int64 // orders what begins and ends, also where time stands still
	var mu sync.Mutex
	var history []porcupine.Operation
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(caller)))
			var seen [linearKeys]int64
			for i := range each {
				in := randomOperation(random, seen, caller*each+i+1)
				call := clock.Add(1)
				out, err := f.do(in)
				end := clock.Add(1)
				if err != nil {
					f.Errorf("%+v: %v", in, err)
					return
				}
				if in.read {
					seen[in.key] = out.revision
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: caller, Input: in, Call: call, Output: out, Return: end})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if f.Failed() {
		return
	}
	if porcupine.CheckOperations(model(int64(last)), history) {
		return
	}
	f.Errorf("a history of %d operations is not linearizable (seed %d):", len(history), seed)
	for _, o := range history {
		f.Logf("%d: %d-%d %+v -> %+v", o.ClientId, o.Call, o.Return, o.Input, o.Output)
	}
}

func randomOperation(random *rand.Rand, seen [linearKeys]int64, value int) operation {
	in := operation{key: random.IntN(linearKeys), expect: [linearKeys]int64{-1, -1, -1}}
	switch random.IntN(10) {
	case 0, 1, 2, 3:
		in.read = true
	case 4:
		in.write[in.key] = value
	case 5:
		in.write[in.key] = -1
	case 6, 7:
		in.expect[in.key] = seen[in.key]
		in.write[in.key] = value
	default: // a transaction over two keys
		other := (in.key + 1) % linearKeys
		in.expect[in.key] = seen[in.key]
		in.write[in.key] = value
		in.write[other] = value
		if random.IntN(3) == 0 {
			in.write[other] = -1
		}
	}
	return in
}

func (f *fixture) do(in operation) (outcome, error) {
	if in.read {
		r, err := f.Get(f.Context(), numbered("", in.key))
		if errors.Is(err, persistence.ErrNotFound) {
			return outcome{}, nil
		} else if err != nil {
			return outcome{}, err
		}
		var value int
		_, err = fmt.Sscan(string(r.Value), &value)
		return outcome{int64(r.Revision), value}, err
	}
	var t persistence.Transaction
	for k, expect := range in.expect {
		if expect >= 0 {
			t.If = append(t.If, persistence.Condition{Key: numbered("", k), Revision: persistence.Revision(expect)})
		}
	}
	for k, value := range in.write {
		switch {
		case value > 0:
			t.Then = append(t.Then, persistence.Change{Key: numbered("", k), Value: fmt.Append(nil, value)})
		case value < 0:
			t.Then = append(t.Then, persistence.Change{Key: numbered("", k), Delete: true})
		}
	}
	r, err := f.Commit(f.Context(), t)
	if errors.Is(err, persistence.ErrConflict) {
		return outcome{}, nil
	}
	return outcome{revision: int64(r)}, err
}
