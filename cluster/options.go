package cluster

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/security"
)

// DefaultPort is the port of a node that listens on the network and is given
// none, if it is free.
const DefaultPort = "7420"

// Option changes how a node joins. Options win over the environment.
type Option interface{ apply(*config) }

type option func(*config)

func (f option) apply(c *config) { f(c) }

type config struct {
	cluster, name     string
	listen, advertise string
	seeds             []string
	dns               string
	stateDir          string
	secret            security.Secret
	credentials       *security.Credentials
	discoveries       []Discovery
	ownDiscoveries    bool
	network           Network
	log               *slog.Logger
	timing            Timing
	maxMessage        int
	system            []actor.SystemOption
	getenv            func(string) string
	err               error
}

// largestMessage is the largest WithMaxMessage.
const largestMessage = 1 << 30

// Timing is how fast a cluster notices that a node has crashed, against how
// much it talks and how easily it is mistaken.
type Timing int

// The timings. The default is Local for a node that listens on loopback only,
// and else LAN.
const (
	defaultTiming Timing = iota
	Local                // one host: 3 to 5 seconds
	LAN                  // a data centre: 6 to 10 seconds
	WAN                  // nodes far apart: about 45 seconds
)

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
func WithCluster(name string) Option { return option(func(c *config) { c.cluster = name }) }

// WithName names the node; no other live node of the cluster may have the name.
// Also TROUPE_NAME. The default is the host's name and a number, which a
// restarted process gets back.
func WithName(name string) Option { return option(func(c *config) { c.name = name }) }

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
func WithListen(address string) Option { return option(func(c *config) { c.listen = address }) }

// WithAdvertise sets the address, "ip:port", at which other nodes reach this one,
// where it differs from the one listened on. Also TROUPE_ADVERTISE.
func WithAdvertise(address string) Option { return option(func(c *config) { c.advertise = address }) }

// WithSeeds adds addresses, "host:port", of nodes to contact first. Also
// TROUPE_SEEDS, separated by commas.
func WithSeeds(addresses ...string) Option {
	return option(func(c *config) { c.seeds = append(c.seeds, addresses...) })
}

// WithDNS adds a name to look up for first contacts: "host:port" for address
// records, "_service._tcp.name" for service records. Also TROUPE_DNS.
func WithDNS(name string) Option { return option(func(c *config) { c.dns = name }) }

// WithDiscovery replaces the ways of finding first contacts: the folder for
// processes of this user on this host, mDNS where the node listens on the
// network, seeds, and DNS.
func WithDiscovery(ways ...Discovery) Option {
	return option(func(c *config) { c.discoveries, c.ownDiscoveries = ways, true })
}

// WithStateDir sets the folder for what a node keeps between its runs. Also
// TROUPE_STATE_DIR; see security.StateDir for the default.
func WithStateDir(dir string) Option { return option(func(c *config) { c.stateDir = dir }) }

// WithNetwork replaces TCP and UDP. Package clustertest has a network in memory.
func WithNetwork(n Network) Option { return option(func(c *config) { c.network = n }) }

// WithLogger sets where the node and its actors log. The default is slog.Default().
func WithLogger(log *slog.Logger) Option { return option(func(c *config) { c.log = log }) }

// WithTiming sets how fast a crash is noticed.
func WithTiming(t Timing) Option { return option(func(c *config) { c.timing = t }) }

// WithMaxMessage sets the largest message, in bytes of its encoding, that the node
// sends and takes. The default is 4 MiB. All nodes should agree.
func WithMaxMessage(bytes int) Option { return option(func(c *config) { c.maxMessage = bytes }) }

// WithActors passes options to the node's actor system, such as
// actor.WithCodec or actor.WithDeadLetters.
func WithActors(options ...actor.SystemOption) Option {
	return option(func(c *config) { c.system = append(c.system, options...) })
}

// WithEnvironment replaces os.Getenv.
func WithEnvironment(getenv func(key string) string) Option {
	return option(func(c *config) { c.getenv = getenv })
}

func newConfig(options []Option) (*config, error) {
	c := &config{getenv: os.Getenv, log: slog.Default(), network: IPNetwork{}}
	for _, o := range options {
		o.apply(c)
	}
	for key, value := range map[string]*string{
		"TROUPE_CLUSTER":   &c.cluster,
		"TROUPE_NAME":      &c.name,
		"TROUPE_LISTEN":    &c.listen,
		"TROUPE_ADVERTISE": &c.advertise,
		"TROUPE_DNS":       &c.dns,
	} {
		if *value == "" {
			*value = c.getenv(key)
		}
	}
	if seeds := c.getenv("TROUPE_SEEDS"); seeds != "" && len(c.seeds) == 0 {
		for seed := range strings.SplitSeq(seeds, ",") {
			c.seeds = append(c.seeds, strings.TrimSpace(seed))
		}
	}
	if text := c.getenv("TROUPE_SECRET"); text != "" && c.secret.IsZero() && c.credentials == nil {
		secret, err := security.ParseSecret(text)
		if err != nil {
			return nil, invalid("TROUPE_SECRET: %w", err)
		}
		c.secret = secret
	}
	if c.maxMessage < 0 || c.maxMessage > largestMessage {
		return nil, invalid("a largest message of %d bytes: choose 1 byte to 1 GiB", c.maxMessage)
	}
	if c.cluster == "" {
		c.cluster = "troupe"
		if c.credentials != nil {
			c.cluster = c.credentials.Cluster()
		}
	}
	if err := security.ValidateCluster(c.cluster); err != nil {
		return nil, invalid("%w", err)
	}
	if c.credentials != nil && c.credentials.Cluster() != c.cluster {
		return nil, invalid("the credentials are for cluster %q, not %q", c.credentials.Cluster(), c.cluster)
	}
	if c.name == "" && c.credentials != nil {
		c.name = c.credentials.Node()
	}
	if c.name != "" {
		if err := security.ValidateNode(c.name); err != nil {
			return nil, invalid("%w", err)
		}
	}
	return c, c.err
}

// onLoopback reports whether the node keeps to its host: nobody chose a secret.
func (c *config) onLoopback() bool { return c.secret.IsZero() && c.credentials == nil }

// state returns the state folder, if there is one.
func (c *config) state() (string, error) {
	if c.stateDir != "" {
		return c.stateDir, nil
	}
	dir, err := security.StateDir(c.getenv)
	if err != nil {
		return "", fmt.Errorf("%w; or use cluster.WithStateDir", err)
	}
	return dir, nil
}

// derive returns the credentials, and makes a secret where there is none.
func (c *config) derive() (*security.Credentials, error) {
	if c.credentials != nil {
		return c.credentials, nil
	}
	if c.secret.IsZero() {
		dir, err := c.state()
		if err != nil {
			return nil, err
		}
		secret, created, err := security.LoadOrCreateSecret(dir)
		if err != nil {
			return nil, err
		}
		if created {
			c.log.Info("made a secret for the nodes of this user on this host", "folder", dir)
		}
		return security.Derive(secret, c.cluster)
	}
	return security.Derive(c.secret, c.cluster)
}

// ways returns the discoveries that apply.
func (c *config) ways(loopback bool) []Discovery {
	if c.ownDiscoveries {
		return c.discoveries
	}
	var ways []Discovery
	if dir, err := c.nodesDir(); err == nil {
		ways = append(ways, discovery.Local(dir, discovery.WithLogger(c.log)))
	}
	if len(c.seeds) > 0 {
		ways = append(ways, discovery.Static(c.seeds...))
	}
	if c.dns != "" {
		ways = append(ways, discovery.DNS(c.dns))
	}
	if !loopback {
		ways = append(ways, discovery.MDNS(discovery.WithLogger(c.log)))
	}
	return ways
}

func invalid(format string, args ...any) error {
	return actor.Errorf(actor.InvalidArgument, format, args...)
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
