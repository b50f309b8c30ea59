package gossip

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// ring returns all members in an order that all agree on, and that has nothing to do
// with names or addresses: neighbours on a rack are none on the ring. It is made anew
// when the members have changed. It needs the lock, and must not be changed.
func (v *view) ring() []Member {
	if v.order != nil {
		return v.order
	}
	type place struct {
		hash uint64
		Member
	}
	places := []place{{hashOf(v.self), v.self}}
	for _, p := range v.peers {
		places = append(places, place{hashOf(p.member), p.member})
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name(), b.name()))
	})
	for _, p := range places {
		v.order = append(v.order, p.Member)
	}
	return v.order
}

func hashOf(m Member) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.name()))
	return h.Sum64()
}

// next returns up to n members that follow this one on the ring.
func (v *view) next(n int) []Member {
	v.mu.Lock()
	defer v.mu.Unlock()
	ring := v.ring()
	at := slices.Index(ring, v.self)
	var next []Member
	for i := range min(n, len(ring)-1) {
		next = append(next, ring[(at+1+i)%len(ring)])
	}
	return next
}

// within reports whether this member is one of the n before another one on the ring.
func (v *view) within(n int, m Member) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	ring := v.ring()
	to := slices.Index(ring, m)
	if to < 0 {
		return false
	}
	at := slices.Index(ring, v.self)
	return (to-at+len(ring))%len(ring) <= n
}
