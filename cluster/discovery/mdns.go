package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/mdns"
)

// ErrNoMulticast is returned by [MDNSDiscovery] when no network interface can carry
// multicast. Other ways of discovery go on.
var ErrNoMulticast = errors.New("discovery: no network interface is up and capable of multicast: use seeds or DNS")

const (
	mdnsService = "_troupe._tcp"
	// mdnsTimeoutDefault is ample for a local network, where answers take a few ms.
	mdnsTimeoutDefault = 400 * time.Millisecond
)

// MDNSDiscovery finds nodes on the attached networks by multicast DNS (RFC 6762).
// Its methods may be called concurrently.
//
// A node is a service instance of type "_troupe._tcp" (RFC 6763) whose TXT record
// says "cluster=<name>". Anybody on the network can answer a query, so what Find
// returns is not to be trusted before the peer has proved its identity.
type MDNSDiscovery struct {
	timeout    time.Duration
	logger     *slog.Logger
	interfaces func() ([]net.Interface, error)

	mu        sync.Mutex
	zone      *mdns.MDNSService // nil unless announced
	own       netip.AddrPort
	servers   map[int]*mdns.Server // by interface index
	noNetwork bool                 // and the caller knows
}

// MDNS returns a discovery that asks, and once announced answers, on every interface
// that is up and capable of multicast, except loopback.
func MDNS(options ...MDNSOption) *MDNSDiscovery {
	d := &MDNSDiscovery{
		timeout:    mdnsTimeoutDefault,
		logger:     slog.New(slog.DiscardHandler),
		interfaces: net.Interfaces,
		servers:    make(map[int]*mdns.Server),
	}
	for _, option := range options {
		option.applyMDNS(d)
	}
	return d
}

// Name returns "mdns".
func (d *MDNSDiscovery) Name() string { return "mdns" }

// Announce answers queries for cluster with address, which must be an IP address and
// port that other hosts can reach: loopback is refused. Networks that appear later
// are joined by the next Find; that holds also when Announce returns
// [ErrNoMulticast]. Other errors wrap [ErrBadName] or [ErrBadAddress].
func (d *MDNSDiscovery) Announce(ctx context.Context, cluster, node, address string) error {
	if err := checkAnnouncement(ctx, cluster, node, address); err != nil {
		return err
	}
	own, err := netip.ParseAddrPort(address)
	if err != nil || !routable(own.Addr()) {
		return fmt.Errorf("%w %.80q: announce an IP address that other hosts can reach", ErrBadAddress, address)
	}
	own = netip.AddrPortFrom(own.Addr().Unmap(), own.Port())
	zone, err := newZone(cluster, node, own)
	if err != nil {
		return fmt.Errorf("discovery: cannot announce %q by mDNS: %w", node, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopServers()
	d.zone, d.own = zone, own
	networks, err := d.networks()
	if err != nil {
		return err
	}
	if d.noNetwork = len(networks) == 0; d.noNetwork {
		return ErrNoMulticast
	}
	if err := d.startServers(networks); len(d.servers) == 0 {
		return err
	}
	return nil
}

// Find asks on all interfaces at once, and collects the addresses of cluster until
// its time is over (see [WithTimeout]), without this node's own. Answers that are
// malformed or of other clusters are dropped. An error is returned when no
// interface could be asked, which is [ErrNoMulticast] once until that changes. When
// ctx ends early its error comes with what was found. The slice is the caller's.
func (d *MDNSDiscovery) Find(ctx context.Context, cluster string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkName(cluster); err != nil {
		return nil, err
	}
	networks, err := d.refresh()
	if err != nil || len(networks) == 0 {
		return nil, err
	}
	answers, err := d.queryAll(ctx, networks, cluster)
	d.mu.Lock()
	own := d.own
	d.mu.Unlock()
	var found []string
	for _, answer := range answers {
		if answer != own {
			found = append(found, answer.String())
		}
	}
	return found, err
}

// refresh follows changes of the interfaces and returns those to be asked.
func (d *MDNSDiscovery) refresh() ([]network, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	networks, err := d.networks()
	if err != nil {
		return nil, err
	}
	if d.zone != nil {
		if err := d.startServers(networks); err != nil {
			d.logger.Debug("cannot answer mDNS queries on some interface", "error", err)
		}
	}
	known := d.noNetwork
	d.noNetwork = len(networks) == 0
	if d.noNetwork && !known {
		return nil, ErrNoMulticast
	}
	return networks, nil
}

// Withdraw stops answering. Its sockets are closed when it returns. Calling it again
// does nothing.
func (d *MDNSDiscovery) Withdraw(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.zone, d.own = nil, netip.AddrPort{}
	d.stopServers()
	return nil
}

// startServers answers on exactly the given networks.
func (d *MDNSDiscovery) startServers(networks []network) error {
	current := make(map[int]bool)
	var failed []error
	for _, n := range networks {
		current[n.iface.Index] = true
		if d.servers[n.iface.Index] != nil {
			continue
		}
		server, err := mdns.NewServer(&mdns.Config{
			Zone:   d.zone,
			Iface:  &n.iface,
			Logger: slog.NewLogLogger(d.logger.Handler(), slog.LevelDebug),
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("discovery: cannot answer mDNS on %s: %w", n.iface.Name, err))
			continue
		}
		d.servers[n.iface.Index] = server
	}
	for index, server := range d.servers {
		if !current[index] {
			d.stopServer(index, server)
		}
	}
	return errors.Join(failed...)
}

func (d *MDNSDiscovery) stopServers() {
	for index, server := range d.servers {
		d.stopServer(index, server)
	}
}

func (d *MDNSDiscovery) stopServer(index int, server *mdns.Server) {
	if err := server.Shutdown(); err != nil {
		d.logger.Debug("cannot stop an mDNS server", "error", err)
	}
	delete(d.servers, index)
}

// network is an interface to ask on, by the families it has addresses of.
type network struct {
	iface  net.Interface
	v4, v6 bool
}

// networks lists the interfaces that can be asked now.
func (d *MDNSDiscovery) networks() ([]network, error) {
	interfaces, err := d.interfaces()
	if err != nil {
		return nil, fmt.Errorf("discovery: cannot list network interfaces: %w", err)
	}
	const needed = net.FlagUp | net.FlagMulticast
	var networks []network
	for _, iface := range interfaces {
		if iface.Flags&needed != needed || iface.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := iface.Addrs()
		if err != nil {
			continue // it has gone since it was listed
		}
		n := network{iface: iface}
		for _, address := range addresses {
			if ip, ok := address.(*net.IPNet); ok {
				v4 := ip.IP.To4() != nil
				n.v4, n.v6 = n.v4 || v4, n.v6 || !v4
			}
		}
		if n.v4 || n.v6 {
			networks = append(networks, n)
		}
	}
	return networks, nil
}
