package cluster

import (
	"math/rand/v2"
	"reflect"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-go/troupe/actor"
)

// Balancer chooses the instance of a service that gets a message. It is the seam
// for other policies; package balancertest holds the conformance suite. It may be
// called concurrently.
type Balancer interface {
	// Pick returns the index of one of candidates, 0 to len(candidates)-1. They are never
	// none, sorted by node, and not to be kept or changed; from one call to the next there
	// may be others, more or fewer. message is as its sender gave it, a value or a pointer.
	// An error goes to the sender, and so does a panic, as Internal.
	Pick(message any, candidates []Instance) (int, error)
}

// Random picks any instance with the same probability. It is the default.
type Random struct{}

// Pick implements [Balancer].
func (Random) Pick(_ any, candidates []Instance) (int, error) {
	return rand.IntN(len(candidates)), nil
}

// RoundRobin picks the instances in turn. The zero value is ready; it must not be
// copied.
type RoundRobin struct{ next atomic.Uint64 }

// Pick implements [Balancer].
func (r *RoundRobin) Pick(_ any, candidates []Instance) (int, error) {
	return int((r.next.Add(1) - 1) % uint64(len(candidates))), nil
}

// ConsistentHash picks by a key of the message: the same key goes to the same
// instance, and when one joins or leaves only its own share of the keys moves. It
// is rendezvous hashing (Thaler and Ravishankar, 1998), so that all nodes agree
// without talking.
type ConsistentHash struct {
	// Key returns the key of a message, which is as its sender gave it, a value or a
	// pointer. Nil asks the message itself; see [Keyed].
	Key func(message any) string
}

// Keyed is a message that knows, itself or by a pointer to it, the key to route it by.
type Keyed interface{ RouteKey() string }

// Pick implements [Balancer]. A message without a key is InvalidArgument.
func (h ConsistentHash) Pick(message any, candidates []Instance) (int, error) {
	key, err := h.keyOf(message)
	if err != nil {
		return 0, err
	}
	hashed := xxhash.Sum64String(key)
	best, highest := 0, uint64(0)
	for i, c := range candidates {
		if weight := mix(hashed ^ xxhash.Sum64String(c.Node+"/"+c.Path)); i == 0 || weight > highest {
			best, highest = i, weight
		}
	}
	return best, nil
}

func (h ConsistentHash) keyOf(message any) (string, error) {
	if h.Key != nil {
		return h.Key(message), nil
	}
	if k, ok := message.(Keyed); ok {
		return k.RouteKey(), nil
	}
	if t := reflect.TypeOf(message); t != nil && reflect.PointerTo(t).Implements(reflect.TypeFor[Keyed]()) {
		pointer := reflect.New(t)
		pointer.Elem().Set(reflect.ValueOf(message))
		return pointer.Interface().(Keyed).RouteKey(), nil
	}
	return "", actor.Errorf(actor.InvalidArgument, "%T has no key to be routed by: give it a method RouteKey() string, or set ConsistentHash.Key", message)
}

// mix spreads the bits of x evenly: the finaliser of SplitMix64 (Steele, Lea and
// Flood, 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
