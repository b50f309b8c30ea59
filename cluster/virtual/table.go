package virtual

import (
	"slices"
	"strings"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// table says who owns the shards of a kind, and who could. Once others see it, it is
// immutable.
type table struct {
	shards   []owner              // none before their number is known
	settings settings             // that those who serve the kind have agreed on
	settled  persistence.Revision // of their record, 0 without one
	hosts    []host               // sorted by session
	read     time.Time            // when this node has begun to know
	revision persistence.Revision // of a time not before which the table was so
}

// owner is who owns a shard; zero for nobody.
type owner struct {
	place
	epoch persistence.Revision // of its record
}

func (o owner) known() bool { return o.Node != "" }

// host is a session that serves the kind.
type host struct {
	place
	since persistence.Revision
	hash  uint64 // of the node
}

func (t *table) clone() *table {
	c := *t
	c.shards, c.hosts = slices.Clone(t.shards), slices.Clone(t.hosts)
	return &c
}

// owner returns who owns the shard of the named actor.
func (t *table) owner(name string) owner {
	if len(t.shards) == 0 {
		return owner{}
	}
	return t.shards[shardOf(name, len(t.shards))]
}

func (t *table) addHost(h host) {
	h.hash = hash(h.Node)
	i, found := t.findHost(h.Session)
	if found {
		t.hosts[i] = h
	} else {
		t.hosts = slices.Insert(t.hosts, i, h)
	}
}

func (t *table) removeHost(session string) {
	if i, found := t.findHost(session); found {
		t.hosts = slices.Delete(t.hosts, i, i+1)
	}
}

// host returns the host with that session, if there is one.
func (t *table) host(session string) (host, bool) {
	i, found := t.findHost(session)
	if !found {
		return host{}, false
	}
	return t.hosts[i], true
}

// isVacant reports whether nobody runs the kind.
func (t *table) isVacant() bool {
	return len(t.hosts) == 0 && !slices.ContainsFunc(t.shards, owner.known)
}

func (t *table) findHost(session string) (int, bool) {
	return slices.BinarySearchFunc(t.hosts, session, func(h host, s string) int { return strings.Compare(h.Session, s) })
}
