package consensus

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// membership keeps what gossip says until that changes.
type membership struct {
	mu   sync.Mutex
	last *view
}

// view is what gossip says at one time.
type view struct {
	changed  <-chan struct{}
	members  []Member            // who started first comes first
	replicas map[string][]string // by core: nodes with a replica of it
	known    map[string][]string // by core: nodes that know of it
}

// look returns the present view.
func (m *membership) look(c *Core) *view {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last != nil {
		select {
		case <-m.last.changed:
		default:
			return m.last
		}
	}
	changed := c.config.MembersChanged() // before Members: what comes in between is seen twice
	m.last = newView(c.config.Members(), changed)
	return m.last
}

func newView(members []Member, changed <-chan struct{}) *view {
	v := &view{changed: changed, members: slices.Clone(members), replicas: map[string][]string{}, known: map[string][]string{}}
	slices.SortFunc(v.members, func(a, b Member) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Name, b.Name))
	})
	for _, m := range v.members {
		if m.Core.Core == "" {
			continue
		}
		v.known[m.Core.Core] = append(v.known[m.Core.Core], m.Name)
		if m.Core.Server != "" {
			v.replicas[m.Core.Core] = append(v.replicas[m.Core.Core], m.Name)
		}
	}
	return v
}

// core returns which core there is for a node that has no replica, and knows of the
// core mine, or of none.
func (v *view) core(node, mine string) (string, error) {
	cores := maps.Clone(v.known)
	if mine != "" && cores[mine] == nil {
		cores[mine] = []string{node}
	}
	for core := range cores {
		if v.successor(core) != "" {
			delete(cores, core)
		}
	}
	switch len(cores) {
	case 0:
		return "", nil
	case 1:
		for core := range cores {
			return core, nil
		}
	}
	var sides []string
	for _, core := range slices.Sorted(maps.Keys(cores)) {
		side := fmt.Sprintf("%s on %s", core, strings.Join(cores[core], ", "))
		if v.replicas[core] == nil {
			side += " (without its data)"
		}
		sides = append(sides, side)
	}
	return "", fmt.Errorf("consensus: %w in one cluster: core %s; stop the nodes of all but one, and remove their state folders, or restart them if they keep nothing on disk", ErrTwoCores, strings.Join(sides, "; core "))
}

// successor returns the core that has succeeded another one, "" if none has.
func (v *view) successor(core string) (latest string) {
	for other := range v.known {
		if succeeds(other, core) && (latest == "" || succeeds(other, latest)) {
			latest = other
		}
	}
	return latest
}

// candidates are the members as a replica of core should see them: those that only know
// of the core can be asked to have a replica.
func (v *view) candidates(core string) []Member {
	members := slices.Clone(v.members)
	for i := range members {
		if a := &members[i].Core; a.Core == core && a.Server == "" {
			*a = Announcement{}
		}
	}
	return members
}

// has reports whether node has a replica of core.
func (v *view) has(core, node string) bool { return slices.Contains(v.replicas[core], node) }
