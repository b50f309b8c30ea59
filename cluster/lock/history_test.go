package lock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/troupe-go/troupe/persistence"
)

// operation is something that happened to a lock: it was acquired, or else given up or
// lost.
type operation struct {
	acquired bool
	token    uint64
	demand   demand
}

// lockState is who holds the lock, and the highest token so far.
type lockState struct {
	highest uint64
	holders []operation
}

// model is a lock that a single machine could have: those who hold it have agreed to
// share it, and tokens grow.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return lockState{} },
		Step: func(state, input, _ any) (bool, any) {
			s, op := state.(lockState), input.(operation)
			if !op.acquired {
				i := slices.IndexFunc(s.holders, func(h operation) bool { return h.token == op.token })
				if i < 0 {
					return false, s
				}
				s.holders = slices.Delete(slices.Clone(s.holders), i, i+1)
				return true, s
			}
			sum, most := op.demand.permits, op.demand.most()
			for _, h := range s.holders {
				sum, most = sum+h.demand.permits, min(most, h.demand.most())
			}
			return op.token > s.highest && sum <= most, lockState{op.token, append(slices.Clone(s.holders), op)}
		},
		Equal: func(a, b any) bool {
			x, y := a.(lockState), b.(lockState)
			return x.highest == y.highest && slices.Equal(x.holders, y.holders)
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
	}
}

// history is what the clients of one lock saw, while sessions ended and the store failed.
type history struct {
	*world
	seed  uint64
	clock atomic.Int64 // orders the calls and returns

	mu         sync.Mutex
	operations []porcupine.Operation
	held       []holding
	lost       map[string]int64 // when the session with that name was
	gone       map[string]int64 // when the record with that key was
	late       sync.WaitGroup
}

// holding is a lock that was acquired, and when Release was called.
type holding struct {
	lock     *Lock
	released int64
}

func TestHistoriesOfLocksUnderFaultsAreLinearizable(t *testing.T) {
	for range 5 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h := &history{seed: seed, lost: make(map[string]int64), gone: make(map[string]int64)}
			synctest.Test(t, h.run)
			h.check(t, 50)
		})
	}
}

// check looks for an order that explains what was seen, of at least so many holders.
func (h *history) check(t *testing.T, holders int) {
	t.Helper()
	if !porcupine.CheckOperations(model(), h.operations) {
		for _, o := range h.operations {
			t.Logf("%d-%d %+v", o.Call, o.Return, o.Input)
		}
		t.Error("the history is not linearizable")
	}
	acquired := 0
	for _, o := range h.operations {
		if o.Input.(operation).acquired {
			acquired++
		}
	}
	if acquired < holders {
		t.Errorf("the lock was acquired %d times only", acquired)
	}
}

func (h *history) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(h.seed, stream)) }

// run lets six clients on three nodes use one lock.
func (h *history) run(t *testing.T) {
	const clients = 6
	h.world = newWorld(t)
	var all []*fakeNode
	for i := range 3 {
		all = append(all, h.node(fmt.Sprint("node-", i)))
	}
	h.disturb(h.random(0))
	stop := time.After(30 * time.Second)
	quit := make(chan struct{})
	var group, watching sync.WaitGroup
	watch, cancel := context.WithCancel(t.Context())
	watching.Go(func() { h.noteWhatGoes(watch) })
	for i := range clients {
		group.Go(func() { h.client(all[i%len(all)], h.random(uint64(1+i)), quit) })
	}
	group.Go(func() { h.endSessions(all, h.random(100), quit) })
	<-stop
	close(quit)
	group.Wait()
	h.onCommit(nil)
	h.late.Wait()

	// Nobody is left in the queue, whatever happened.
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	if _, err := acquire(ctx, all[0], "x", nil, false); err != nil {
		t.Error("at the end:", err, h.keys("lock/"))
	}
	synctest.Wait()
	cancel()
	watching.Wait()
	for _, a := range h.held {
		call := a.released
		if lost, ok := h.lost[a.lock.session.ID()]; ok {
			call = min(call, lost)
		}
		h.record(call, h.gone[a.lock.place.key], operation{token: a.lock.Token()})
	}
}

// noteWhatGoes notes when others could know that a holder is none any more.
func (h *history) noteWhatGoes(ctx context.Context) {
	for changes := range h.store.Watch(ctx, lockQueues, 0) {
		for _, c := range changes.Changes {
			if c.Delete {
				h.gone[c.Key] = h.clock.Add(1)
			}
		}
	}
}

// disturb lets some transactions fail, with and without having happened, or happen late.
func (h *history) disturb(random *rand.Rand) {
	var mu sync.Mutex
	number := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	h.onCommit(func(ctx context.Context, t persistence.Transaction, next commit) (persistence.Revision, error) {
		<-time.After(time.Duration(number(20)) * time.Millisecond)
		switch number(20) {
		case 0:
			return 0, errAway
		case 1:
			if _, err := next(context.WithoutCancel(ctx), t); errors.Is(err, persistence.ErrConflict) {
				return 0, err
			}
			return 0, errAway
		case 2:
			wait := time.After(time.Duration(number(3000)) * time.Millisecond)
			h.late.Go(func() {
				<-wait
				_, _ = next(context.WithoutCancel(ctx), t)
			})
			return 0, errAway
		}
		return next(ctx, t)
	})
}

func (h *history) client(n *fakeNode, random *rand.Rand, quit chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-time.After(time.Duration(random.IntN(50)) * time.Millisecond):
		}
		options := randomOptions(random)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+random.IntN(3000))*time.Millisecond)
		call := h.clock.Add(1)
		l, err := acquire(ctx, n, "x", options, random.IntN(4) == 0)
		cancel()
		if err != nil {
			continue
		}
		h.record(call, h.clock.Add(1), operation{true, l.Token(), l.request.demand})
		select {
		case <-time.After(time.Duration(random.IntN(200)) * time.Millisecond):
		case <-l.Lost():
		}
		h.mu.Lock()
		h.held = append(h.held, holding{l, h.clock.Add(1)})
		h.mu.Unlock()
		_ = l.Release(context.Background()) // else it is tried again
	}
}

func randomOptions(random *rand.Rand) []Option {
	switch random.IntN(4) {
	case 0:
		return []Option{Shared()}
	case 1:
		return []Option{Permits(1+random.IntN(2), 3)}
	}
	return nil
}

// endSessions lets sessions end, first where they are and then for the others.
func (h *history) endSessions(all []*fakeNode, random *rand.Rand, quit chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-time.After(time.Duration(random.IntN(1000)) * time.Millisecond):
		}
		when := h.clock.Add(1)
		s := all[random.IntN(len(all))].lose()
		if s == nil {
			continue
		}
		if _, again := h.lost[s.id]; !again {
			h.lost[s.id] = when
		}
		<-time.After(time.Duration(random.IntN(200)) * time.Millisecond)
		s.expire(h.world)
	}
}

func (h *history) record(call, ended int64, op operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{Input: op, Call: call, Return: ended})
}
