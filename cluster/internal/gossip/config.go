package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/troupe-go/troupe/persistence/version"
)

// ErrInvalidConfig is wrapped by the errors of [Open] about its [Config].
var ErrInvalidConfig = errors.New("gossip: invalid configuration")

// Limits of what a [Config] may hold, in bytes.
const (
	MaxClusterLen = 128 // length of Config.Cluster
	MaxNodeLen    = 128 // length of Config.Node
	KeyLen        = 32  // length of Config.Key: AES-256
)

// Config is what [Open] needs. All fields are required unless stated otherwise.
type Config struct {
	// Cluster is the name of the cluster. Members of different clusters refuse
	// each other even when they have the same key.
	Cluster string

	// Node is the name of the node, the same over restarts.
	Node string

	// Incarnation tells this start of the node from all others: a random
	// number that is not zero.
	Incarnation uint64

	// Started is when the process started.
	Started time.Time

	// Key encrypts and authenticates all gossip (AES-256-GCM).
	Key []byte

	// Packets is the socket for packets. It stays with the caller, who closes
	// it after [Gossip.Close]; nobody else may read it or set its read deadline
	// until then. SetReadDeadline must unblock ReadFrom.
	Packets net.PacketConn

	// Streams yields the authenticated connections that peers opened for
	// gossip. [Gossip.Close] closes it.
	Streams net.Listener

	// Dial opens an authenticated connection for gossip to a peer's "ip:port". It must
	// return soon after its context ends, and returns a [Loop] for an address that leads
	// to this member.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// Reach tries to connect to a peer's "ip:port", and closes the connection: that
	// works as long as the system of the peer's host runs, and the process has not
	// ended, however busy it is. Crashes are noticed sooner with it. It must return
	// soon after its context ends. Its error wraps syscall.ECONNREFUSED when nobody
	// listens there; one that came from no answer is a net.Error for a timeout.
	// Optional.
	Reach func(ctx context.Context, address string) error

	// Advertise is the address where the others reach Packets and Streams.
	Advertise netip.AddrPort

	// Preset is the kind of network. Default LAN.
	Preset Preset

	// Events is called for each [Event] about another member, one at a time, in
	// order, from one goroutine and with no lock held. While it runs, no other
	// event is delivered; gossip itself goes on. It must not call
	// [Gossip.Close]. Optional.
	Events func(Event)

	// Logger receives what an operator may want to know. Optional.
	Logger *slog.Logger

	version version.Version // what this member speaks; for tests
}

// wire returns the version that this member speaks.
func (c *Config) wire() version.Version {
	if c.version != (version.Version{}) {
		return c.version
	}
	return version.Wire()
}

// Preset is a set of timings for a kind of network. The times to notice are those
// for a process that was killed, for a host that is gone, and for a process that
// hangs while its host goes on. The last is for up to ten members, when the others
// agree, and grows with the logarithm of the number of members.
type Preset int

// The presets.
const (
	// LAN is for a local network or a data centre: 1, 2, and 6 to 10 seconds.
	LAN Preset = iota

	// Local is for processes of one host: 1, 1, and 3 to 5 seconds.
	Local

	// WAN is for nodes far from each other: 7, 9, and about 45 seconds.
	WAN
)

// packetSize is the largest packet sent: it passes unfragmented everywhere.
const packetSize = 1400

func (c *Config) validate() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalidConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Cluster == "" || len(c.Cluster) > MaxClusterLen:
		return invalid("give Cluster a name of 1 to %d bytes", MaxClusterLen)
	case !validNode(c.Node):
		return invalid("give Node a name of 1 to %d bytes of printable UTF-8", MaxNodeLen)
	case c.Incarnation == 0:
		return invalid("draw a random Incarnation that is not zero")
	case c.Started.IsZero():
		return invalid("set Started to the time when the process started")
	case len(c.Key) != KeyLen:
		return invalid("Key has %d bytes: it must have %d", len(c.Key), KeyLen)
	case c.Packets == nil || c.Streams == nil || c.Dial == nil:
		return invalid("set Packets, Streams and Dial")
	case !reachable(c.Advertise):
		return invalid("Advertise %q is no address that peers can reach: give one IP and a port, without a zone", c.Advertise)
	case c.Preset < LAN || c.Preset > WAN:
		return invalid("Preset %d is unknown: use LAN, Local or WAN", c.Preset)
	}
	return nil
}

// reachable reports whether peers could send to the address.
func reachable(a netip.AddrPort) bool {
	ip := a.Addr()
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Zone() == "" && a.Port() != 0
}

// timing returns memberlist's configuration for the preset. Against
// memberlist's defaults, the longest suspicion is cut, so that a crash which
// few can confirm is noticed soon; news is repeated more often, since in a
// cluster of a few members two repetitions miss one of them too easily; and
// compression is off: it allocates 64 KiB for every packet.
func (p Preset) timing() *memberlist.Config {
	var c *memberlist.Config
	switch p {
	case Local:
		c = memberlist.DefaultLocalConfig()
		c.ProbeInterval = 500 * time.Millisecond
		c.GossipInterval = 200 * time.Millisecond
		c.SuspicionMult = 4
		c.SuspicionMaxTimeoutMult = 2
		c.TCPTimeout = 5 * time.Second
	case WAN:
		c = memberlist.DefaultWANConfig()
		c.SuspicionMaxTimeoutMult = 3
	default:
		c = memberlist.DefaultLANConfig()
		c.SuspicionMaxTimeoutMult = 3
	}
	c.RetransmitMult = 6
	c.EnableCompression = false
	c.UDPBufferSize = packetSize
	return c
}

// verdictDelay is how long a member that memberlist gave up is given for its
// farewell to arrive before it counts as failed.
func (p Preset) verdictDelay() time.Duration {
	switch p {
	case Local:
		return 500 * time.Millisecond
	case WAN:
		return 3 * time.Second
	default:
		return time.Second
	}
}

// detection returns the timing of the detector. A host that is gone is noticed within
// an interval, the patience and a window; a process that was killed within an interval and
// memberlist's ProbeTimeout. An interval is longer than the ProbeTimeout, so that a check has ended before the next.
func (p Preset) detection() detection {
	switch p {
	case Local:
		return detection{interval: 500 * time.Millisecond, patience: 100 * time.Millisecond, attempts: 8, pause: 50 * time.Millisecond}
	case WAN:
		return detection{interval: 4 * time.Second, patience: 1500 * time.Millisecond, attempts: 8, pause: 250 * time.Millisecond}
	default:
		return detection{interval: 600 * time.Millisecond, patience: 250 * time.Millisecond, attempts: 8, pause: 100 * time.Millisecond}
	}
}
