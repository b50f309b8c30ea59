package cluster

// Avoided returns how many instances the node has on record for having failed.
func Avoided(n *Node) int { return int(n.avoided.count.Load()) }

// TakeForOne makes n take another node for one that speaks 1.0 of the wire.
func TakeForOne(n *Node, name string) {
	d := n.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.peers {
		if p.Node == name {
			p.Minor = 0
		}
	}
}
