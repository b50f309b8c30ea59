package virtual

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// lease is what a server does while it has one session.
type lease struct {
	*server
	session session
	ctx     context.Context // ends with the session
	moves   sync.WaitGroup
	retry   bool // something failed: look again soon
	// starting is that of a singleton which could not be started; nil if it could.
	starting *cluster.Wait
	// registered is the revision of the session's record among the hosts, 0 without one.
	registered persistence.Revision
}

// How long a server waits before it tries again what has failed, and how many records
// one transaction changes.
const (
	retryPause = 200 * time.Millisecond
	batchSize  = 200
)

// run serves the kind until the node leaves.
func (s *server) run(ctx context.Context) {
	defer close(s.left)
	if !s.config.mayRun() {
		s.abstain(ctx)
		return
	}
	waiting := s.kind.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: the kind %q is not served here yet", s.kind.name))
	defer waiting.Done()
	for !s.isLeaving() {
		session, err := s.kind.extension.open(ctx)
		if err == nil {
			waiting.Done()
			s.serve(ctx, session)
			s.awaitQuiet(ctx)
			continue
		}
		waiting.Because(err)
		s.sleep(ctx, retryPause)
	}
}

func (s *server) isLeaving() bool {
	select {
	case <-s.leaving:
		return true
	default:
		return false
	}
}

func (s *server) sleep(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-s.leaving:
	case <-ctx.Done():
	}
}

// awaitQuiet returns when no activation is left of a session that was lost: the next
// one must not begin beside them.
func (s *server) awaitQuiet(ctx context.Context) {
	waiting := s.kind.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: actors of the kind %q have to end before others may begin", s.kind.name))
	defer waiting.Done()
	for {
		s.mu.Lock()
		count := s.count
		s.mu.Unlock()
		if count == 0 {
			return
		}
		waiting.Because(fmt.Errorf("%d of them have not ended; have their handlers return when their context ends", count))
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// serve owns shards for as long as the session lasts, or until the node leaves.
func (s *server) serve(ctx context.Context, session session) {
	ctx, end := context.WithCancel(ctx)
	l := &lease{server: s, session: session, ctx: ctx}
	s.mu.Lock()
	s.session, s.owned, s.moving = session, make(map[int]*shard), 0
	s.released = make(map[int]persistence.Revision)
	s.mu.Unlock()
	var fence sync.WaitGroup
	fence.Go(func() {
		select {
		case <-session.Done():
		case <-ctx.Done():
		}
		end()
		s.fence()
	})
	l.work()
	l.starting.Done()
	end()
	fence.Wait()
	l.moves.Wait()
}

func (l *lease) work() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	swept := time.Now()
	for l.ctx.Err() == nil {
		changed := l.kind.change()
		l.retry = false
		leaving := l.isLeaving()
		t := l.kind.table.Load()
		if leaving {
			l.unregister()
		} else {
			l.register(t)
		}
		l.adopt(t)
		if !leaving {
			l.claim(t)
		}
		l.handOver(t, leaving)
		if leaving && l.registered == 0 && l.ownsNothing() {
			return
		}
		swept = l.sweep(swept)
		next := l.untilSweep()
		if l.retry {
			next = min(next, retryPause)
		}
		timer.Reset(next)
		left := l.leaving
		if leaving {
			left = nil
		}
		select {
		case <-changed:
		case <-l.wake:
		case <-left:
		case <-timer.C:
		case <-l.ctx.Done():
		}
	}
}

// commit reports whether t has happened. A conflict is no reason to try again.
func (l *lease) commit(t persistence.Transaction) (revision persistence.Revision, conflict, ok bool) {
	revision, err := l.transact(l.ctx, l.session, t)
	switch {
	case err == nil:
		return revision, false, true
	case actor.CodeOf(err) == actor.Aborted:
		return 0, true, false
	}
	l.retry = true
	l.kind.extension.node.Logger().Debug("a change to the table of virtual actors failed", "kind", l.kind.name, "error", err)
	return 0, false, false
}

const commitTimeout = 5 * time.Second

func (s *server) transact(ctx context.Context, session session, t persistence.Transaction) (persistence.Revision, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return session.Store().Commit(ctx, t)
}

// adopt takes the shards that the table says are this session's, and lets go of those
// that somebody has taken away.
func (l *lease) adopt(t *table) {
	var lost []*shard
	l.mu.Lock()
	for i, o := range t.shards {
		if !l.holds() {
			break
		}
		sh := l.owned[i]
		ours := o.Session == l.session.ID()
		switch {
		case sh == nil && ours && o.epoch > l.released[i]:
			l.owned[i] = newShard(i, o.epoch)
		case sh != nil && !sh.closing && t.revision >= sh.epoch && (!ours || o.epoch != sh.epoch):
			sh.closing = true
			lost = append(lost, sh)
			delete(l.owned, i)
		}
	}
	l.mu.Unlock()
	for _, sh := range lost {
		l.kind.extension.node.Logger().Warn("a shard of virtual actors was taken away", "kind", l.kind.name, "shard", sh.index)
		l.end(sh.live, (*activation).stop)
	}
	l.activateEagerly(t)
}

// activateEagerly starts a singleton.
func (l *lease) activateEagerly(t *table) {
	if !l.config.eager || len(t.shards) == 0 {
		return
	}
	name := actorName(l.kind.name, "")
	l.mu.Lock()
	sh := l.owned[shardOf(name, len(t.shards))]
	due := sh != nil && !sh.closing && !sh.began
	l.mu.Unlock()
	if !due {
		return
	}
	if _, err := l.find(name); err != nil {
		if l.starting == nil {
			l.kind.extension.node.Logger().Warn("a singleton was not started, which is tried again", "kind", l.kind.name, "error", err)
			l.starting = l.kind.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: the singleton %q is not started yet", l.kind.name))
		}
		l.starting.Because(err)
		l.retry = true
		return
	}
	l.starting.Done()
	l.mu.Lock()
	sh.began = true
	l.mu.Unlock()
}

// claim takes the shards that nobody owns and this session should.
func (l *lease) claim(t *table) {
	if l.registered == 0 {
		return
	}
	var wanted []int
	l.mu.Lock()
	for i, o := range t.shards {
		if !o.known() && l.owned[i] == nil && l.isPreferred(t, i) {
			wanted = append(wanted, i)
		}
	}
	l.mu.Unlock()
	for batch := range slices.Chunk(wanted, batchSize) {
		if l.claimAll(batch) || len(batch) == 1 {
			continue
		}
		for _, i := range batch { // somebody owns one of them
			if l.retry || l.ctx.Err() != nil {
				return
			}
			l.claimAll([]int{i})
		}
	}
	if len(wanted) > 0 {
		l.activateEagerly(t)
	}
}

func (l *lease) isPreferred(t *table, shard int) bool {
	best := preferred(l.kind.name, shard, t.hosts)
	return best >= 0 && t.hosts[best].Session == l.session.ID()
}

func (l *lease) claimAll(shards []int) bool {
	here := place{Node: l.kind.extension.node.Name(), Session: l.session.ID()}
	t := persistence.Transaction{If: []persistence.Condition{{Key: hostKey(l.kind.name, here.Session), Revision: l.registered}}}
	var keys []string
	for _, i := range shards {
		key := ownerKey(l.kind.name, i)
		keys = append(keys, key)
		t.If = append(t.If, persistence.Condition{Key: key})
		t.Then = append(t.Then, persistence.Change{Key: key, Value: here.encode()})
	}
	revision, _, ok := l.commit(l.session.Own(t, keys...))
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range shards {
		if l.owned[i] == nil && l.holds() {
			l.owned[i] = newShard(i, revision)
		}
	}
	return true
}

// holds reports whether the session has not been fenced off. The caller has the lock.
func (l *lease) holds() bool { return l.server.session == l.session }

func (l *lease) ownsNothing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.owned) == 0
}
