package cluster

import (
	"errors"
	"log/slog"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/security"
	"github.com/troupe-go/troupe/settings"
)

// DefaultPort is the port of a node that listens on the network and is given
// none, if it is free.
const DefaultPort = "7420"

// Option changes how a node joins. The options here win over [FromSettings], and that
// takes the place of the environment.
type Option interface{ apply(*config) }

type option func(*config)

func (f option) apply(c *config) { f(c) }

// Timing is how fast a cluster notices that a node has crashed, against how
// much it talks and how easily it is mistaken. The times are for a process or a host that
// has ended; a process that hangs on a host that runs is given up after 3 to 5 seconds, 6
// to 10, and about 45.
type Timing int

// The timings. The default is Local for a node that listens on loopback only,
// and else LAN.
const (
	defaultTiming Timing = iota
	Local                // one host: about 1 second
	LAN                  // a data centre: 1 to 3 seconds
	WAN                  // nodes far apart: about 10 seconds
)

// String returns the name that settings have for it, "" for the default.
func (t Timing) String() string {
	switch t {
	case Local:
		return "local"
	case LAN:
		return "lan"
	case WAN:
		return "wan"
	}
	return ""
}

// MarshalText returns String.
func (t Timing) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String returns.
func (t *Timing) UnmarshalText(text []byte) error {
	for _, known := range []Timing{defaultTiming, Local, LAN, WAN} {
		if known.String() == string(text) {
			*t = known
			return nil
		}
	}
	return errors.New("choose local, lan or wan")
}

func (t Timing) preset() gossip.Preset {
	switch t {
	case Local:
		return gossip.Local
	case WAN:
		return gossip.WAN
	}
	return gossip.LAN
}

// WithCluster names the cluster: nodes of different clusters never meet. Also
// TROUPE_CLUSTER; default "troupe".
func WithCluster(name string) Option { return option(func(c *config) { c.code.Cluster = name }) }

// WithName names the node; no other live node of the cluster may have the name.
// Also TROUPE_NAME. The default is the host's name and a number, which a
// restarted process gets back.
func WithName(name string) Option { return option(func(c *config) { c.code.Name = name }) }

// WithSecret sets the secret that the nodes of the cluster share, and lets the
// node listen on the network. Also TROUPE_SECRET. The default is one that is made
// once and kept in the user's state folder; such a node listens on loopback only.
func WithSecret(s security.Secret) Option { return option(func(c *config) { c.secret = s }) }

// WithCredentials sets credentials made with security.Derive or
// security.LoadCertificates, in place of a secret.
func WithCredentials(credentials *security.Credentials) Option {
	return option(func(c *config) { c.credentials = credentials })
}

// WithListen sets the one address, "host:port", that the node listens on, with
// TCP and UDP. Also TROUPE_LISTEN. The default is all addresses at the port that
// this node had last, [DefaultPort], or any free one; without a secret it is
// loopback only.
func WithListen(address string) Option { return option(func(c *config) { c.code.Listen = address }) }

// WithAdvertise sets the address, "ip:port", at which other nodes reach this one,
// where it differs from the one listened on. Also TROUPE_ADVERTISE. The default, for a node
// that listens on all addresses of its host, is the one from which it reaches its contacts,
// or else that of the default route; see [ErrAddressChanged].
func WithAdvertise(address string) Option {
	return option(func(c *config) { c.code.Advertise = address })
}

// WithSeeds adds addresses, "host:port", of nodes to contact first. Also
// TROUPE_SEEDS, separated by commas.
func WithSeeds(addresses ...string) Option {
	return option(func(c *config) { c.code.Seeds = append(c.code.Seeds, addresses...) })
}

// WithDNS adds a name to look up for first contacts: "host:port" for address
// records, "_service._tcp.name" for service records. Also TROUPE_DNS.
func WithDNS(name string) Option { return option(func(c *config) { c.code.DNS = name }) }

// WithDiscovery replaces the ways of finding first contacts: the folder for
// processes of this user on this host, mDNS where the node listens on the
// network, seeds, and DNS.
func WithDiscovery(ways ...Discovery) Option {
	return option(func(c *config) { c.discoveries, c.ownDiscoveries = ways, true })
}

// WithStateDir sets the folder for what a node keeps between its runs. Also
// TROUPE_STATE_DIR; see security.StateDir for the default.
func WithStateDir(dir string) Option { return option(func(c *config) { c.code.StateDir = dir }) }

// WithNetwork replaces TCP and UDP. Package clustertest has a network in memory.
func WithNetwork(n Network) Option { return option(func(c *config) { c.network = n }) }

// WithLogger sets where the node and its actors log. The default is slog.Default().
func WithLogger(log *slog.Logger) Option { return option(func(c *config) { c.log = log }) }

// WithTiming sets how fast a crash is noticed.
func WithTiming(t Timing) Option { return option(func(c *config) { c.code.Timing = t }) }

// WithVoters sets how many nodes keep the replicated store, if there are so many: 1, 3
// or 5. The default is 3; it goes on as long as more than half of them do. All nodes
// should agree.
func WithVoters(n int) Option { return option(func(c *config) { c.code.Voters = n }) }

// WithExpect makes the replicated store wait, before it is used for the very first
// time, until n nodes are there, up to the number of voters. Two halves of a network
// that is split then never found one each. The default is 1. All nodes should agree.
func WithExpect(n int) Option { return option(func(c *config) { c.code.Expect = n }) }

// WithMaxMessage sets the largest message, in bytes of its encoding, that the node
// sends and takes. The default is 4 MiB. All nodes should agree: what another node does
// not take is InvalidArgument here, and was surely not handled. The replicated store is
// not concerned: its transactions and records have limits of their own.
func WithMaxMessage(bytes int) Option {
	return option(func(c *config) { c.code.MaxMessage = settings.Size(bytes) })
}

// WithActors passes options to the node's actor system, such as
// actor.WithCodec or actor.WithDeadLetters.
func WithActors(options ...actor.SystemOption) Option {
	return option(func(c *config) { c.system = append(c.system, options...) })
}

// WithEnvironment replaces os.Getenv.
func WithEnvironment(getenv func(key string) string) Option {
	return option(func(c *config) { c.getenv, c.ownEnvironment = getenv, true })
}
