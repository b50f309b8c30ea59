package virtual

import "time"

// Config is what can be set of a kind from outside of its code. It is an [Option], which
// sets all of it, and other options after it win:
//
//	err := virtual.Serve(node, rooms, live.Get().Rooms)
//
// Fill it with package settings, which knows the defaults. A change needs a restart: a
// node serves a kind in one way as long as it serves it.
type Config struct {
	Shards       int           `default:"128" doc:"How many shards the keys fall into; all nodes must agree." validate:"min=1,max=16384" reload:"restart"`
	IdleTimeout  time.Duration `default:"10m" doc:"How long an actor stays in memory without a message; 0 is for ever." validate:"eq=0s|min=10ms" reload:"restart"`
	MaxHandovers int           `default:"8" doc:"How many shards are handed over at a time when a node has joined." validate:"min=1" reload:"restart"`
	Role         string        `doc:"The role that a node needs to run the actors; all nodes must agree. By default\nthey run on any." reload:"restart"`
	Roles        []string      `doc:"The roles of this node." reload:"restart"`
}

func (c Config) apply(to *config) {
	to.settings.Shards, to.settings.Role = c.Shards, c.Role
	to.idle, to.handovers, to.roles = c.IdleTimeout, c.MaxHandovers, c.Roles
}
