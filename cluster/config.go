package cluster

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/security"
)

// config is what the options and the environment amount to.
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
	voters, expect    int
	getenv            func(string) string
}

// largestMessage is the largest WithMaxMessage.
const largestMessage = 1 << 30

func newConfig(options []Option) (*config, error) {
	c := &config{getenv: os.Getenv, log: slog.Default(), network: IPNetwork{}}
	for _, o := range options {
		o.apply(c)
	}
	if err := c.readEnvironment(); err != nil {
		return nil, err
	}
	if c.cluster == "" {
		c.cluster = "troupe"
		if c.credentials != nil {
			c.cluster = c.credentials.Cluster()
		}
	}
	if c.name == "" && c.credentials != nil {
		c.name = c.credentials.Node()
	}
	return c, c.validate()
}

// readEnvironment fills what no option has set.
func (c *config) readEnvironment() error {
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
	if text := c.getenv("TROUPE_SECRET"); text != "" && c.onLoopback() {
		secret, err := security.ParseSecret(text)
		if err != nil {
			return invalid("TROUPE_SECRET: %w", err)
		}
		c.secret = secret
	}
	return nil
}

func (c *config) validate() error {
	if c.maxMessage < 0 || c.maxMessage > largestMessage {
		return invalid("a largest message of %d bytes: choose 1 byte to 1 GiB", c.maxMessage)
	}
	if c.voters != 0 && c.voters != 1 && c.voters != 3 && c.voters != 5 {
		return invalid("%d voters: choose 1, 3 or 5", c.voters)
	}
	if most := max(c.voters, 3); c.expect < 0 || c.expect > most {
		return invalid("%d nodes are expected to found the replicated store: choose up to %d, or more voters", c.expect, most)
	}
	if err := security.ValidateCluster(c.cluster); err != nil {
		return invalid("%w", err)
	}
	if c.credentials != nil && c.credentials.Cluster() != c.cluster {
		return invalid("the credentials are for cluster %q, not %q", c.credentials.Cluster(), c.cluster)
	}
	if c.name != "" {
		if err := security.ValidateNode(c.name); err != nil {
			return invalid("%w", err)
		}
	}
	for _, seed := range c.seeds {
		if !isHostPort(seed) {
			return invalid("the seed %q is not host:port", seed)
		}
	}
	if c.dns != "" && !strings.HasPrefix(c.dns, "_") && !isHostPort(c.dns) {
		return invalid("the DNS name %q is neither host:port nor _service._proto.name", c.dns)
	}
	if c.listen != "" && c.onLoopback() && !isLoopback(c.listen) {
		return invalid("to listen on %q, beyond this host, choose a secret: set TROUPE_SECRET on all nodes", c.listen)
	}
	return nil
}

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	number, badPort := strconv.ParseUint(port, 10, 16)
	return err == nil && badPort == nil && host != "" && number != 0
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
