package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"

	"github.com/hashicorp/memberlist"

	"github.com/troupe-go/troupe/persistence/version"
)

// delegate is what memberlist calls. Its methods do not block.
type delegate struct {
	node      string
	version   version.Version
	meta      []byte
	reporter  version.Reporter
	view      *view
	detector  *detector // nil if there is none
	log       *slog.Logger
	malformed atomic.Uint64
}

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.AliveDelegate = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
	_ memberlist.MergeDelegate = (*delegate)(nil)
)

func (d *delegate) NodeMeta(int) []byte { return d.meta }

// NotifyMsg receives a catalog from a packet or a stream, or a report from a packet.
func (d *delegate) NotifyMsg(b []byte) {
	r, is, err := decodeReport(b)
	switch {
	case err != nil:
		d.reject(err)
		return
	case is && d.detector != nil:
		d.detector.hear(r)
		return
	}
	c, err := decodeCatalog(b)
	if err != nil {
		d.reject(err)
		return
	}
	d.view.learn(c, true)
}

func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.view.out.queue.take(overhead, limit)
}

func (d *delegate) LocalState(bool) []byte { return encodeState(d.view.state()) }

// MergeRemoteState relays nothing: the owner of each catalog broadcasts it
// itself to members that are new to it.
func (d *delegate) MergeRemoteState(b []byte, _ bool) {
	err := decodeState(b, func(c catalog) { d.view.learn(c, false) })
	if err != nil {
		d.reject(err)
	}
}

func (d *delegate) reject(err error) {
	d.malformed.Add(1)
	d.log.Debug("gossip: dropped a message of a member that speaks another version", "error", err)
}

// NotifyMerge refuses to join with members of another major version. It is asked on both
// sides before anything is exchanged; both see the version of the other, and the error
// ends Join there.
func (d *delegate) NotifyMerge(peers []*memberlist.Node) error {
	for _, n := range peers {
		if err := d.checkVersion(n); err != nil {
			return err
		}
	}
	return nil
}

// checkVersion refuses a member of another major version. Metadata that says no version
// is left to memberOf.
func (d *delegate) checkVersion(n *memberlist.Node) error {
	theirs := metaVersion(n.Meta)
	if _, ok := d.version.With(theirs); ok {
		return nil
	}
	m := &version.Mismatch{Node: d.node, Own: d.version, Peer: nodeOf(n.Name), Theirs: theirs, What: "gossip"}
	d.reporter.Warn(d.log, m)
	return m
}

// hasLeft ends the reason why a rumour about a member is ignored.
const hasLeft = " has left"

// NotifyAlive refuses members that cannot be understood, and rumours about
// those that said goodbye.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	if err := d.checkVersion(n); err != nil {
		return err
	}
	m, err := memberOf(n)
	if err != nil {
		d.malformed.Add(1)
		return err
	}
	if d.view.hasLeft(m.name()) {
		return errors.New("gossip: " + m.name() + hasLeft)
	}
	return nil
}

func (d *delegate) NotifyJoin(n *memberlist.Node) {
	if m, err := memberOf(n); err == nil { // NotifyAlive saw it before
		d.view.joined(m)
	}
}

func (d *delegate) NotifyLeave(n *memberlist.Node) { d.view.gone(n.Name) }

// NotifyUpdate has nothing to do: the metadata of a member never changes.
func (d *delegate) NotifyUpdate(*memberlist.Node) {}

func memberOf(n *memberlist.Node) (Member, error) {
	ip, _ := netip.AddrFromSlice(n.Addr)
	address := netip.AddrPortFrom(ip.Unmap(), n.Port)
	m, err := decodeMeta(n.Meta, address)
	switch {
	case err != nil:
		return Member{}, err
	case m.name() != n.Name:
		return Member{}, fmt.Errorf("%w: metadata of %s in the name of %q", errMalformed, m.name(), n.Name)
	case !reachable(address):
		return Member{}, fmt.Errorf("%w: %s has the address %s", errMalformed, n.Name, address)
	}
	return m, nil
}
