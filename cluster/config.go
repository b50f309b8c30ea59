package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/security"
	"github.com/troupe-go/troupe/settings"
)

// config is what the options, and the settings or the environment, amount to.
type config struct {
	Config                             // what counts
	code     Config                    // what options say of that, which wins
	wanted   Config                    // what settings say, with code over it
	ownKeys  bool                      // options say which secret or credentials
	settings *feed                     // nil for the environment
	schema   *settings.Live[unchecked] // closed: it tells Configs apart, and holds the environment or the defaults

	secret         security.Secret
	credentials    *security.Credentials
	discoveries    []Discovery
	ownDiscoveries bool
	network        Network
	host           host
	log            *slog.Logger
	level          *slog.LevelVar // of log
	system         []actor.SystemOption
	getenv         func(string) string
	ownEnvironment bool // options say what the environment is
}

// unchecked is a Config that is not validated yet: what options say wins, right or wrong.
type unchecked Config

// largestMessage is the largest WithMaxMessage.
const largestMessage = 1 << 30

func newConfig(ctx context.Context, options []Option) (*config, error) {
	c := &config{getenv: os.Getenv, log: slog.Default(), network: IPNetwork{}, host: systemHost()}
	for _, o := range options {
		o.apply(c)
	}
	c.ownKeys = !c.onLoopback()
	said, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	c.wanted = c.over(said)
	c.Config = c.wanted
	c.level = new(slog.LevelVar)
	c.level.Set(leastOf(c.LogLevel))
	c.log = slog.New(levelled{c.log.Handler(), c.level})
	c.warnOfVariables(ctx)
	if err := c.blame(c.Validate(), said); err != nil {
		return nil, invalid("%w", err)
	}
	if err := c.loadKeys(); err != nil {
		return nil, err
	}
	if c.Cluster == "" {
		c.Cluster = defaultCluster
		if c.credentials != nil {
			c.Cluster = c.credentials.Cluster()
		}
	}
	if c.Name == "" && c.credentials != nil {
		c.Name = c.credentials.Node()
	}
	return c, c.validate()
}

const defaultCluster = "troupe"

// read returns what the settings, or else the environment, say.
func (c *config) read(ctx context.Context) (*Config, error) {
	var sources []settings.Source
	switch {
	case c.settings == nil:
		sources = c.environment()
	case c.settings.current == nil:
		return nil, invalid("FromSettings was given nil: load the settings before")
	}
	live, err := settings.Load[unchecked](ctx, sources...)
	if err != nil && ctx.Err() == nil {
		return nil, invalid("%w", errors.Join(err, c.besides(ctx, err)))
	} else if err != nil {
		return nil, err
	}
	live.Close()
	c.schema = live
	if c.settings == nil {
		return c.said(), nil
	}
	return c.settings.current(c.said()), nil
}

// said returns what the environment said, or the defaults if it was not read.
func (c *config) said() *Config { return (*Config)(c.schema.Get()) }

// differing returns the keys that have changed.
func (c *config) differing(old, new Config) []string {
	return c.schema.Changed((*unchecked)(&old), (*unchecked)(&new))
}

// over returns what options say, and what said does where they say nothing.
func (c *config) over(said *Config) Config {
	merged, code := *said, &c.code
	merged.Cluster = cmp.Or(code.Cluster, said.Cluster)
	merged.Name = cmp.Or(code.Name, said.Name)
	merged.Listen = cmp.Or(code.Listen, said.Listen)
	merged.Advertise = cmp.Or(code.Advertise, said.Advertise)
	merged.DNS = cmp.Or(code.DNS, said.DNS)
	merged.StateDir = cmp.Or(code.StateDir, said.StateDir)
	merged.Timing = cmp.Or(code.Timing, said.Timing)
	merged.Voters = cmp.Or(code.Voters, said.Voters)
	merged.Expect = cmp.Or(code.Expect, said.Expect)
	merged.MaxMessage = cmp.Or(code.MaxMessage, said.MaxMessage)
	if len(code.Seeds) > 0 {
		merged.Seeds = code.Seeds
	}
	if c.ownKeys {
		merged.Secret, merged.Certificates = settings.Secret{}, Certificates{}
	}
	return merged
}

// loadKeys makes a secret or credentials of what the settings say.
func (c *config) loadKeys() (err error) {
	if !c.Secret.IsZero() {
		if c.secret, err = security.ParseSecret(c.Secret.Reveal()); err != nil {
			return invalid("secret: %w", err)
		}
	}
	if files := c.Certificates; files != (Certificates{}) {
		c.credentials, err = security.LoadCertificates(c.secret, cmp.Or(c.Cluster, defaultCluster), security.CertificateFiles(files))
	}
	return err
}

// validate checks what Config.Validate and its tags leave to be checked: what options
// may have set, and what depends on them.
func (c *config) validate() error {
	if c.MaxMessage < 0 || c.MaxMessage > largestMessage {
		return invalid("a largest message of %d bytes: choose 1 byte to 1 GiB", c.MaxMessage)
	}
	if c.Voters != 0 && c.Voters != 1 && c.Voters != 3 && c.Voters != 5 {
		return invalid("%d voters: choose 1, 3 or 5", c.Voters)
	}
	if most := max(c.Voters, 3); c.Expect < 0 || c.Expect > most {
		return invalid("%d nodes are expected to found the replicated store: choose up to %d, or more voters", c.Expect, most)
	}
	if c.credentials != nil && c.credentials.Cluster() != c.Cluster {
		return invalid("the credentials are for cluster %q, not %q", c.credentials.Cluster(), c.Cluster)
	}
	if c.Listen != "" && c.onLoopback() && !isLoopback(c.Listen) {
		return invalid("to listen on %q, beyond this host, choose a secret: set TROUPE_SECRET, or the setting secret, on all nodes", c.Listen)
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
	if c.StateDir != "" {
		return c.StateDir, nil
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
		return security.Derive(secret, c.Cluster)
	}
	return security.Derive(c.secret, c.Cluster)
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
	if len(c.Seeds) > 0 {
		ways = append(ways, discovery.Static(c.Seeds...))
	}
	if c.DNS != "" {
		ways = append(ways, discovery.DNS(c.DNS))
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
