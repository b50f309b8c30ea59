package cluster

import (
	"context"
	"errors"
	"net"
	"path/filepath"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/discovery"
)

// nodesDir is where processes of this user on this host meet, and claim names.
func (c *config) nodesDir() (string, error) {
	dir, err := c.state()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "nodes"), nil
}

// claim takes a name for the node. The slot is nil where nothing is kept between
// runs: the name is given, and so are the ways to find others.
func (c *config) claim(ctx context.Context) (name string, slot *discovery.Slot, err error) {
	if c.Name != "" && c.ownDiscoveries {
		return c.Name, nil, nil
	}
	dir, err := c.nodesDir()
	if err != nil {
		if c.Name != "" {
			c.log.Warn("nothing is kept between runs", "reason", err)
			return c.Name, nil, nil
		}
		return "", nil, err
	}
	if c.Name != "" {
		slot, err = discovery.ClaimName(ctx, dir, c.Cluster, c.Name)
	} else {
		slot, err = discovery.ClaimSlot(ctx, dir, c.Cluster, c.hostName())
	}
	if errors.Is(err, discovery.ErrNameTaken) {
		return "", nil, actor.Errorf(actor.AlreadyExists, "another process of this user is node %q of cluster %q; use another name, or stop it: %w: %w", c.Name, c.Cluster, ErrNameTaken, err)
	}
	if err != nil && c.Name != "" && !c.onLoopback() {
		c.log.Warn("nothing is kept between runs", "reason", err)
		return c.Name, nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	return slot.Name(), slot, nil
}

// open listens on the configured address, or on the first of the usual ones that
// is free.
func (c *config) open(ctx context.Context, lastAddress string) (net.Listener, net.PacketConn, error) {
	if c.Listen != "" {
		return c.network.Listen(ctx, c.Listen)
	}
	host, ports := "", []string{DefaultPort, "0"}
	if c.onLoopback() {
		host, ports = "127.0.0.1", []string{"0"}
	}
	// What was advertised by hand says nothing of where the node listened.
	if _, last, err := net.SplitHostPort(lastAddress); err == nil && c.Advertise == "" {
		ports = append([]string{last}, ports...)
	}
	var errs []error
	for _, p := range ports {
		l, packets, err := c.network.Listen(ctx, net.JoinHostPort(host, p))
		if err == nil {
			if len(errs) > 0 && !c.onLoopback() {
				c.log.Warn("the usual port is taken; set TROUPE_LISTEN where it matters", "listening", l.Addr().String())
			}
			return l, packets, nil
		}
		errs = append(errs, err)
	}
	return nil, nil, errors.Join(errs...)
}
