package virtual

import (
	"slices"

	"github.com/troupe-go/troupe/actor"
)

// SingletonOption is an [Option] that [Singleton] takes as well.
type SingletonOption interface {
	Option
	singleton()
}

type singletonOption func(*config)

func (f singletonOption) apply(c *config) { f(c) }
func (singletonOption) singleton()        {}

// OnRole restricts where actors of the kind run to nodes that have the role; see
// [Roles]. The others refer to them all the same, whether they call [Serve] or not.
// While no node with the role serves the kind, what is sent to it fails with
// Unavailable. The default is "": any node. Nodes that serve a kind must agree on its
// role; see [Serve].
func OnRole(role string) SingletonOption {
	return singletonOption(func(c *config) { c.settings.Role = role })
}

// Roles says which roles this node has, for [OnRole]: up to 64 letters, digits and
// -_.@+ each. The default is none. It lets all nodes run the same program, and differ
// in their configuration alone.
func Roles(roles ...string) SingletonOption {
	return singletonOption(func(c *config) { c.roles = roles })
}

func (c config) validateRoles() error {
	for _, role := range append([]string{c.settings.Role}, c.roles...) {
		if role != "" && !isLabel(role) {
			return actor.Errorf(actor.InvalidArgument, "virtual: %.200q cannot name a role: use up to %d letters, digits and -_.@+", role, maxLabel)
		}
	}
	if slices.Contains(c.roles, "") {
		return actor.Errorf(actor.InvalidArgument, "virtual: a role without a name")
	}
	return nil
}

// mayRun reports whether this node has the role of the kind.
func (c config) mayRun() bool {
	return c.settings.Role == "" || slices.Contains(c.roles, c.settings.Role)
}
