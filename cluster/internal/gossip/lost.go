package gossip

import (
	"slices"
	"time"
)

const (
	maxLost    = 256 // nodes remembered for having failed
	lostMemory = 24 * time.Hour
)

type lostNode struct {
	address string
	at      time.Time
}

// remember notes where a member was that failed, unless its node is back under
// another incarnation. It needs the lock.
func (v *view) remember(m Member) {
	for _, p := range v.peers {
		if p.member.Node == m.Node {
			return
		}
	}
	if m.Node != v.self.Node {
		v.lost.put(m.Node, lostNode{m.Address, time.Now()})
	}
}

// lostAddresses returns where members that failed were last seen, the latest
// first, without the addresses that others use now.
func (v *view) lostAddresses() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	used := map[string]bool{v.self.Address: true}
	for _, p := range v.peers {
		used[p.member.Address] = true
	}
	var addresses []string
	for _, node := range slices.Backward(v.lost.order) {
		l := v.lost.values[node]
		if time.Since(l.at) < lostMemory && !used[l.address] {
			used[l.address] = true
			addresses = append(addresses, l.address)
		}
	}
	return addresses
}
