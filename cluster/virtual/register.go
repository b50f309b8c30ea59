package virtual

import (
	"context"

	"github.com/troupe-go/troupe/persistence"
)

// abstain is run for a kind whose role this node does not have.
func (s *server) abstain(ctx context.Context) {
	for ctx.Err() == nil && !s.isLeaving() {
		changed := s.kind.change()
		s.agrees(s.kind.table.Load())
		select {
		case <-changed:
		case <-s.leaving:
		case <-ctx.Done():
		}
	}
}

// agrees reports whether the nodes that run the kind do so with the settings of this
// one, or nobody runs it. If not, it says so once.
func (s *server) agrees(t *table) bool {
	if t.settings == s.config.settings || t.isVacant() {
		s.refused = settings{}
		return true
	}
	if s.refused != t.settings {
		s.refused = t.settings
		s.kind.extension.node.Logger().Error("a kind of virtual actors is served with other settings elsewhere, and so not here; make them equal, or stop those nodes first",
			"kind", s.kind.name, "here", s.config.settings, "elsewhere", t.settings)
	}
	return false
}

// register lets the others know that this session serves the kind, if they agree on its
// settings. Whoever is the first to run the kind decides on them: it writes them anew,
// on the condition that nobody else has since. As long as a host is registered, nobody
// can, so that another one relies on any of those.
func (l *lease) register(t *table) {
	id := l.session.ID()
	if h, known := t.host(id); known {
		l.registered = h.since
	}
	if l.registered != 0 || t.read.IsZero() || !l.agrees(t) {
		return
	}
	n, key := l.kind.extension.node, hostKey(l.kind.name, id)
	here := place{Node: n.Name(), Session: id, Started: startedOf(n, n.Name())}
	join := persistence.Transaction{Then: []persistence.Change{{Key: key, Value: here.encode()}}}
	if len(t.hosts) > 0 {
		other := t.hosts[0]
		join.If = []persistence.Condition{{Key: hostKey(l.kind.name, other.Session), Revision: other.since}}
	} else {
		agreed := settingsKey(l.kind.name)
		join.If = []persistence.Condition{{Key: agreed, Revision: t.settled}}
		join.Then = append(join.Then, persistence.Change{Key: agreed, Value: l.config.settings.encode()})
	}
	// After a conflict, the table is about to change.
	if revision, _, ok := l.commit(l.session.Own(join, key)); ok {
		l.registered = revision
	}
}

// unregister lets the others know that this session no longer serves the kind.
func (l *lease) unregister() {
	if l.registered == 0 {
		return
	}
	key := hostKey(l.kind.name, l.session.ID())
	t := persistence.Transaction{Then: []persistence.Change{{Key: key, Delete: true}}}
	if _, _, ok := l.commit(l.session.Disown(t, key)); ok {
		l.registered = 0
	}
}
