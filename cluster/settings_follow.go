package cluster

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// follower lets a node follow its settings.
type follower struct {
	config   *config
	policies *policies
	log      *slog.Logger
	cancel   context.CancelFunc

	mu    sync.Mutex
	last  Config // what the settings said last, with the options over it
	ended bool
}

// follow begins to follow the settings, if there are any.
func (n *Node) follow(c *config) error {
	if c.settings == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{config: c, policies: &n.policies, log: n.log, cancel: cancel, last: c.wanted}
	if err := c.settings.watch(ctx, f.update); err != nil {
		cancel()
		return invalid("%w", err)
	}
	n.follower = f
	f.update() // what has changed before they were watched
	return nil
}

// unfollow ends that. The watcher is a goroutine of the settings, and ends by itself.
func (n *Node) unfollow() {
	f := n.follower
	if f == nil {
		return
	}
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
}

// update uses what can be used without a restart, and says what cannot.
func (f *follower) update() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	c := f.config
	now := c.over(c.settings.current(c.said()))
	changed := c.differing(f.last, now)
	if len(changed) == 0 {
		return
	}
	f.last = now
	c.level.Set(leastOf(now.LogLevel))
	f.policies.set(now.Services)

	joinedWith := c.differing(c.wanted, now)
	var inForce, waiting, settled []string
	for _, key := range changed {
		switch {
		case isLive(key):
			inForce = append(inForce, key)
		case slices.Contains(joinedWith, key):
			waiting = append(waiting, key)
		default:
			settled = append(settled, key)
		}
	}
	if len(inForce) > 0 {
		f.log.Info("settings have changed and are in force", "keys", inForce)
	}
	if len(waiting) > 0 {
		f.log.Warn("settings have changed and wait for a restart of the node", "keys", waiting)
	}
	if len(settled) > 0 {
		f.log.Info("settings are again what the node has joined with", "keys", settled)
	}
}

// isLive reports whether a node uses a change of the key while it runs.
func isLive(key string) bool {
	first, _, _ := strings.Cut(key, ".")
	return first == "log_level" || first == "services"
}
