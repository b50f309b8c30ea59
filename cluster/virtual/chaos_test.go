package virtual

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

var seeds = flag.Int("seeds", 3, "how many seeds the faults are drawn from")

// Whatever happens to the nodes and between them, no key has two activations that
// handle messages, and in the end all are reached again.
func TestFaultsInAnyOrder(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			play(t, 5, func(t *testing.T, s *stage) {
				rng := rand.New(rand.NewPCG(seed, 1))
				s.serve("room", s.all(), IdleTimeout(time.Second), Shards(32))
				clients := s.startClients(rng.Uint64())
				for range 15 {
					s.fault(rng)
					<-time.After(time.Duration(rng.IntN(4000)) * time.Millisecond)
				}
				s.Network.Heal()
				for i := range 5 {
					s.core.heal(s.Node(i).Name())
				}
				s.AwaitMembers(5)
				close(clients.stop)
				clients.running.Wait()
				<-time.After(10 * time.Second)
				for i := range keysOfClients {
					if _, err := actor.Ask(within(t, 10*time.Second), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil {
						t.Errorf("after all has healed, %d: %v", i, err)
					}
				}
				if clients.answered == 0 {
					t.Error("nothing was answered")
				}
			})
		})
	}
}

// fault does something to a node or a link. Node 0 stays.
func (s *stage) fault(rng *rand.Rand) {
	i := 1 + rng.IntN(4)
	name, other := s.Node(i).Name(), s.Node(rng.IntN(5)).Name()
	switch rng.IntN(7) {
	case 0: // a kill and, after a while, a restart, at times with other settings
		s.crash(i)
		<-time.After(time.Duration(rng.IntN(6000)) * time.Millisecond)
		s.Network.Heal()
		n := s.Restart(i)
		s.ledger.exhume(name)
		s.use(n)
		if err := Serve(n, s.ledger.definition("room"), IdleTimeout(time.Second), Shards(32+rng.IntN(2))); err != nil {
			s.t.Error(err)
		}
	case 1:
		s.core.cutOff(name)
	case 2:
		s.core.heal(name)
	case 3:
		s.Network.Partition([]string{name, other})
		s.core.cutOff(name)
		if other != name {
			s.core.cutOff(other)
		}
	case 4:
		s.Network.Cut(name, other)
	case 5:
		s.Network.Heal()
	case 6: // the lease runs out while the node goes on
		s.core.lose(name)
	}
}

// exhume lets a name count again that was killed: its process was started anew.
func (l *ledger) exhume(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buried, node)
}

const keysOfClients = 40

// clients ask and tell from every node until they are stopped.
type clients struct {
	stop     chan struct{}
	running  sync.WaitGroup
	mu       sync.Mutex
	answered int
}

func (s *stage) startClients(seed uint64) *clients {
	c := &clients{stop: make(chan struct{})}
	for i := range 10 {
		c.running.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for {
				select {
				case <-c.stop:
					return
				case <-time.After(time.Duration(rng.IntN(40)) * time.Millisecond):
				}
				ref := roomOf(s.Node(i%5), fmt.Sprint(rng.IntN(keysOfClients)))
				_ = actor.Tell(ref, Note{})
				if _, err := actor.Ask(within(s.t, 2*time.Second), ref, Add{}); err == nil {
					c.mu.Lock()
					c.answered++
					c.mu.Unlock()
				}
			}
		})
	}
	return c
}
