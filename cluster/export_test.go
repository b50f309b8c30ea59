package cluster

import "net/netip"

// Avoided returns how many instances the node has on record for having failed.
func Avoided(n *Node) int { return int(n.avoided.count.Load()) }

// WithAddress has a node take what address returns for the one address of its host, if it
// is valid.
func WithAddress(address func() netip.Addr) Option {
	return option(func(c *config) {
		c.host = host{
			addresses: func() (all []hostAddress, err error) {
				if ip := address(); ip.IsValid() {
					all = append(all, hostAddress{Addr: ip, device: "eth0"})
				}
				return all, nil
			},
			source: func(netip.AddrPort) (netip.Addr, error) { return address(), nil },
		}
	})
}

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
