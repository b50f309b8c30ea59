package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/troupe-go/troupe/security"
	"github.com/troupe-go/troupe/settings"
)

// Config is what can be set of a node from outside of its code. [Join] reads it from
// the environment, all but Services; [FromSettings] takes it from any sources, and lets
// the node follow them. docs/settings-reference.yaml describes each key.
//
// The zero value of a field is its default.
type Config struct {
	Cluster      string          `doc:"Name of the cluster; clusters of different names never meet. By default troupe." reload:"restart"`
	Name         string          `doc:"Name of the node, unique in its cluster. By default the host's name and a number." reload:"restart"`
	Secret       settings.Secret `doc:"What the nodes of the cluster share; at least 16 characters. By default\none is made and kept in the state folder, and the node stays on loopback." reload:"restart"`
	Certificates Certificates
	Listen       string        `doc:"The one address to listen on, host:port, with TCP and UDP. By default all\naddresses, and the port it had last, else 7420, else any free one." reload:"restart"`
	Advertise    string        `doc:"The ip:port at which other nodes reach this one, if it is not where it listens." reload:"restart"`
	Seeds        []string      `doc:"Nodes to contact first, each as host:port." reload:"restart"`
	DNS          string        `doc:"A name to look up for nodes to contact first: host:port or _service._tcp.name." reload:"restart"`
	StateDir     string        `doc:"Folder for what is kept between runs. By default that of the user." reload:"restart"`
	Timing       Timing        `doc:"How fast a crash is noticed: local (one host, 1 second), lan (1 to 3) or\nwan (about 10). By default local on loopback, and else lan." reload:"restart"`
	Voters       int           `default:"3" doc:"How many nodes keep the replicated store: 1, 3 or 5. All nodes should agree." validate:"omitempty,oneof=1 3 5" reload:"restart"`
	Expect       int           `default:"1" doc:"How many nodes must be there before the replicated store is used for the very\nfirst time, at most as many as voters. All nodes should agree." validate:"min=0,max=5" reload:"restart"`
	MaxMessage   settings.Size `default:"4MiB" doc:"The largest message, in its encoding, up to 1GiB. All nodes should agree." validate:"max=1073741824" reload:"restart"`

	LogLevel *slog.Level              `doc:"The least level that the node and its actors log: debug, info, warn or error.\nBy default it is that of the program's logger, which is never exceeded."`
	Services map[string]ServiceConfig `doc:"How this node calls services, by their names." validate:"dive"`
}

// Certificates are files in PEM, of a node whose certificate an authority of one's own
// has signed; see security.LoadCertificates. All three are set, or none. They are read
// again by themselves when they are replaced.
type Certificates struct {
	CA          string `doc:"File with the certificates of the authorities that sign for the cluster." reload:"restart"`
	Certificate string `doc:"File with the certificate of the node, and intermediate ones." reload:"restart"`
	Key         string `doc:"File with the private key of the certificate." reload:"restart"`
}

// ServiceConfig is how a node calls one service, where the code that calls [Service]
// leaves it open. A change counts for the next message.
type ServiceConfig struct {
	Balancer string `doc:"How an instance is chosen: random, round_robin or consistent_hash, by the\nkey that a message has (cluster.Keyed). By default random." validate:"omitempty,oneof=random round_robin consistent_hash"`
	Wait     bool   `doc:"Let calls wait for an instance while there is none; see cluster.WaitForInstance."`
}

// Validate returns what is wrong with the values beyond the rules of their tags, as far
// as that can be told without the options in code. Package settings calls it.
func (c *Config) Validate() error {
	return errors.Join(c.checkNames(), c.checkKeys(), c.checkContacts())
}

// keyError is what is wrong with the value of one key.
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

func keyErrorf(key, format string, args ...any) error {
	return &keyError{key, fmt.Errorf(format, args...)}
}

func (c *Config) checkNames() error {
	var errs []error
	if c.Cluster != "" {
		if err := security.ValidateCluster(c.Cluster); err != nil {
			errs = append(errs, &keyError{"cluster", err})
		}
	}
	if c.Name != "" {
		if err := security.ValidateNode(c.Name); err != nil {
			errs = append(errs, &keyError{"name", err})
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkKeys() error {
	var errs []error
	if !c.Secret.IsZero() {
		if _, err := security.ParseSecret(c.Secret.Reveal()); err != nil {
			errs = append(errs, &keyError{"secret", err})
		}
	}
	if f := c.Certificates; f != (Certificates{}) {
		for _, file := range []struct{ key, path string }{{"certificates.ca", f.CA}, {"certificates.certificate", f.Certificate}, {"certificates.key", f.Key}} {
			if file.path == "" {
				errs = append(errs, keyErrorf(file.key, "it is not set, and certificates need three files: set certificates.ca, certificates.certificate and certificates.key"))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkContacts() error {
	var errs []error
	if c.Advertise != "" {
		if _, err := netip.ParseAddrPort(c.Advertise); err != nil {
			errs = append(errs, keyErrorf("advertise", "the address must be ip:port: %w", err))
		}
	}
	for _, seed := range c.Seeds {
		if !isHostPort(seed) {
			errs = append(errs, keyErrorf("seeds", "the seed %q is not host:port", seed))
		}
	}
	if c.DNS != "" && !strings.HasPrefix(c.DNS, "_") && !isHostPort(c.DNS) {
		errs = append(errs, keyErrorf("dns", "the DNS name %q is neither host:port nor _service._proto.name", c.DNS))
	}
	return errors.Join(errs...)
}
