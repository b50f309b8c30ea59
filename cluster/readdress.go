package cluster

import (
	"context"
	"net/netip"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// ErrAddressChanged is wrapped by the error of [Node.Err] when the host of a node has lost
// the address that the node has chosen to advertise, and has another one. A node that
// joins anew chooses that.
var ErrAddressChanged = actor.NewError(actor.Unavailable, "address changed")

// How often the address of a node is looked for, and how long its host may have another one
// in its place: interfaces go down and come back.
const (
	addressPause = 2 * time.Second
	addressGrace = 5 * time.Second
)

// watchAddress has the node leave when its host has another address than the one that the
// node has chosen: a process has one address for as long as others know it.
func (n *Node) watchAddress(ctx context.Context) {
	chosen := n.chosen.Load()
	if chosen == nil {
		return
	}
	select {
	case <-n.ready:
	case <-ctx.Done():
		return
	}
	missing := false
	var replaced time.Time // when another one was first there in its place
	for sleep(ctx, addressPause) {
		other, gone := n.replacement(chosen)
		switch {
		case gone && !missing:
			n.log.Warn("this host has lost the address that the node advertises, so that others cannot reach it", "address", chosen.String())
		case missing && !gone:
			n.log.Info("this host has its address back", "address", chosen.String())
		}
		missing = gone
		switch {
		case !other.IsValid():
			replaced = time.Time{}
		case replaced.IsZero():
			replaced = time.Now()
		case time.Since(replaced) >= addressGrace:
			n.fail(actor.Errorf(ErrAddressChanged.Code,
				"this node advertises %s, and its host now has the address %s instead; start the node again, or set TROUPE_ADVERTISE to an address that stays: %w",
				chosen, other, ErrAddressChanged))
			return
		}
	}
}

// replacement reports whether the host has lost the chosen address, and which other one
// leads to the other nodes, or the rest of the world; it is not valid if there is none.
func (n *Node) replacement(chosen *chosenAddress) (other netip.Addr, gone bool) {
	all, err := n.host.addresses()
	if err != nil || among(all, chosen.ip) {
		return netip.Addr{}, false
	}
	own, err := n.host.usable(chosen.onlyIPv4)
	if err != nil {
		return netip.Addr{}, true
	}
	var others []contact
	for address := range n.directory.addresses() {
		others = appendContact(others, address, true)
	}
	for _, address := range n.gossip.Lost() {
		others = appendContact(others, address, true)
	}
	other, _ = n.host.routed(others, own)
	return other, true
}
