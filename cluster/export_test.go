package cluster

// Avoided returns how many instances the node has on record for having failed.
func Avoided(n *Node) int { return int(n.avoided.count.Load()) }
