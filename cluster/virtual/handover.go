package virtual

import (
	"slices"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// handOver begins to give away the shards that another session should own, but for that of
// a singleton, which stays and keeps its memory; all of them, if the node leaves. Those
// without activations go at once.
func (l *lease) handOver(t *table, leaving bool) {
	var idle []*shard
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.holds() {
		return
	}
	for i, sh := range l.owned {
		if sh.closing || !leaving && (l.config.eager || !l.isDue(t, i)) {
			continue
		}
		switch {
		case len(sh.live) == 0:
			sh.closing = true
			close(sh.empty)
			idle = append(idle, sh)
		case leaving || l.moving < l.config.handovers:
			l.moving++
			l.moves.Go(func() {
				if l.drain(l.ctx, sh) {
					l.release([]*shard{sh})
				}
				l.moved()
			})
		}
	}
	for batch := range slices.Chunk(idle, batchSize) {
		l.moves.Go(func() { l.release(batch) })
	}
}

// isDue reports whether another session should own a shard, and can be reached: a node
// may serve the kind a while before all the others know of it, or that it is back.
func (l *lease) isDue(t *table, shard int) bool {
	best := preferred(l.kind.name, shard, t.hosts)
	if best < 0 || t.hosts[best].Session == l.session.ID() {
		return false
	}
	to := t.hosts[best]
	if startedOf(l.kind.extension.node, to.Node) == to.Started {
		return true
	}
	l.retry = true
	return false
}

// startedOf returns when a node was started, as n sees it; 0 if n does not see it.
func startedOf(n *cluster.Node, name string) int64 {
	for _, m := range n.Members() {
		if m.Name == name {
			return m.Started.UnixNano()
		}
	}
	return 0
}

func (l *lease) moved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holds() { // else nothing counts any more
		l.moving--
	}
	l.awake()
}

// release lets others own shards that have no activations: whoever should, takes them.
// It returns when that has happened, or the session has ended.
func (l *lease) release(shards []*shard) {
	for !l.forget(shards) {
		if !pause(l.ctx, retryPause) {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sh := range shards {
		if l.owned[sh.index] == sh {
			delete(l.owned, sh.index)
		}
		l.released[sh.index] = sh.epoch
	}
	l.awake()
}

// forget deletes the records of shards; false if it is not known whether it has.
func (l *lease) forget(shards []*shard) bool {
	var t persistence.Transaction
	var keys []string
	for _, sh := range shards {
		key := ownerKey(l.kind.name, sh.index)
		keys = append(keys, key)
		t.If = append(t.If, persistence.Condition{Key: key, Revision: sh.epoch})
		t.Then = append(t.Then, persistence.Change{Key: key, Delete: true})
	}
	_, err := l.transact(l.ctx, l.session, l.session.Disown(t, keys...))
	if actor.CodeOf(err) != actor.Aborted {
		return err == nil
	}
	// One of the records is gone: an attempt before has had its way after all.
	if len(shards) > 1 {
		for _, sh := range shards {
			if !l.forget([]*shard{sh}) {
				return false
			}
		}
	}
	return true
}
