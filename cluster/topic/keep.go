package topic

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// keeper owns partitions while this node has one session.
type keeper struct {
	*stream
	session *cluster.Session
	ctx     context.Context // ends with the session
	moves   sync.WaitGroup
	retry   bool // something failed: look again soon
	// registered is the revision of the session's record among the hosts, 0 without one.
	registered persistence.Revision
}

const (
	retryPause    = 200 * time.Millisecond
	commitTimeout = 5 * time.Second
)

// keep owns what this node should, until it leaves.
func (s *stream) keep(ctx context.Context) {
	defer close(s.left)
	waiting := s.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("topic: this node owns nothing of %q", s.name))
	defer waiting.Done()
	for !s.isLeaving() && ctx.Err() == nil {
		session, err := s.extension.node.Session(ctx)
		if err == nil {
			waiting.Done()
			s.keepWith(ctx, session)
			continue
		}
		waiting.Because(err)
		select {
		case <-s.leaving:
		case <-time.After(retryPause):
		case <-ctx.Done():
		}
	}
}

func (s *stream) isLeaving() bool {
	select {
	case <-s.leaving:
		return true
	default:
		return false
	}
}

// leave hands over what is owned here. When ctx ends first, the end of the session does.
func (s *stream) leave(ctx context.Context) {
	s.depart.Do(func() { close(s.leaving) })
	select {
	case <-s.left:
	case <-ctx.Done():
	}
}

// keepWith returns when the session has ended, or the node leaves and owns nothing more.
func (s *stream) keepWith(ctx context.Context, session *cluster.Session) {
	ctx, end := context.WithCancel(ctx)
	k := &keeper{stream: s, session: session, ctx: ctx}
	k.moves.Go(func() {
		defer end()
		select {
		case <-session.Done():
		case <-ctx.Done():
		}
	})
	k.work()
	end()
	for _, t := range k.giveUpAll() {
		k.moves.Go(func() { t.close(ctx) })
	}
	k.moves.Wait()
}

func (k *keeper) giveUpAll() []*tenure {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []*tenure
	for _, t := range k.held {
		all = append(all, t)
	}
	clear(k.held)
	clear(k.released)
	return all
}

func (k *keeper) work() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for k.ctx.Err() == nil {
		changed := k.change()
		k.retry = false
		a, leaving, left := k.assignment.Load(), k.isLeaving(), k.leaving
		if leaving {
			left = nil
			k.unregister()
		} else {
			k.register(a)
			k.claim(a)
		}
		k.adopt(a)
		k.handOver(a, leaving)
		if leaving && k.registered == 0 && k.ownsNothing() {
			return
		}
		timer.Reset(time.Hour)
		if k.retry {
			timer.Reset(retryPause)
		}
		select {
		case <-changed:
		case <-k.wake:
		case <-left:
		case <-timer.C:
		case <-k.ctx.Done():
		}
	}
}

func (k *keeper) ownsNothing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.held) == 0
}

// commit reports whether t has happened. A conflict is no reason to try again: the
// assignment is about to change.
func (k *keeper) commit(t persistence.Transaction) (persistence.Revision, bool) {
	ctx, cancel := context.WithTimeout(k.ctx, commitTimeout)
	defer cancel()
	revision, err := k.session.Store().Commit(ctx, t)
	if err != nil && actor.CodeOf(err) != actor.Aborted {
		k.retry = true
		k.extension.node.Logger().Debug("a change to the owners of a durable topic failed", "topic", k.name, "error", err)
	}
	return revision, err == nil
}

func (k *keeper) here() claim { return claim{Node: k.extension.node.Name(), Session: k.session.ID()} }

// register lets the others know that this session uses the topic.
func (k *keeper) register(a *assignment) {
	for _, h := range a.hosts {
		if h.Session == k.session.ID() {
			k.registered = h.since
		}
	}
	if k.registered != 0 || !a.read {
		return
	}
	key := hostKey(k.name, k.session.ID())
	t := persistence.Transaction{Then: []persistence.Change{{Key: key, Value: k.here().encode()}}}
	if revision, ok := k.commit(k.session.Own(t, key)); ok {
		k.registered = revision
	}
}

// unregister lets the others know that it does no longer.
func (k *keeper) unregister() {
	if k.registered == 0 {
		return
	}
	key := hostKey(k.name, k.session.ID())
	t := persistence.Transaction{Then: []persistence.Change{{Key: key, Delete: true}}}
	if _, ok := k.commit(k.session.Disown(t, key)); ok {
		k.registered = 0
	}
}

// claim takes the partitions that nobody owns and this session should.
func (k *keeper) claim(a *assignment) {
	if k.registered == 0 {
		return
	}
	t := persistence.Transaction{If: []persistence.Condition{{Key: hostKey(k.name, k.session.ID()), Revision: k.registered}}}
	var keys []string
	for i, o := range a.owners {
		if o.known() || k.tenure(i) != nil || a.preferred(k.name, i).Session != k.session.ID() {
			continue
		}
		key := ownerKey(k.name, i)
		keys = append(keys, key)
		t.If = append(t.If, persistence.Condition{Key: key})
		t.Then = append(t.Then, persistence.Change{Key: key, Value: k.here().encode()})
	}
	if len(keys) > 0 {
		k.commit(k.session.Own(t, keys...))
	}
}

// adopt opens the partitions that the records say are this session's, and closes those
// that they say are not.
func (k *keeper) adopt(a *assignment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, o := range a.owners {
		t := k.held[i]
		ours := o.Session == k.session.ID()
		switch {
		case t == nil && ours && o.epoch > k.released[i]:
			t = newTenure(k.stream, i, o.epoch)
			k.held[i] = t
			k.moves.Go(func() { t.run(k.ctx) })
		case t != nil && !t.closing && a.revision >= t.epoch && (!ours || o.epoch != t.epoch):
			k.extension.node.Logger().Warn("a partition of a durable topic was taken away", "topic", k.name, "partition", i)
			t.closing = true
			delete(k.held, i)
			k.moves.Go(func() { t.close(k.ctx) })
		}
	}
}

// handOver begins to give away what another session should own, which is everything if
// the node leaves, and what cannot go on here.
func (k *keeper) handOver(a *assignment, leaving bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, t := range k.held {
		if !t.closing && (leaving || t.isOver() || k.isDue(a, i)) {
			t.closing = true
			k.moves.Go(func() {
				t.drain(k.ctx)
				t.close(k.ctx)
				k.release(t)
			})
		}
	}
}

// isDue reports whether another session should own a partition, and can be reached: a
// node may use the topic a while before this one knows of it.
func (k *keeper) isDue(a *assignment, partition int) bool {
	to := a.preferred(k.name, partition)
	if to.Node == "" || to.Session == k.session.ID() {
		return false
	}
	for _, m := range k.extension.node.Members() {
		if m.Name == to.Node {
			return true
		}
	}
	k.retry = true
	return false
}

// release lets another session own a partition. It returns when that has happened, or
// the session has ended.
func (k *keeper) release(t *tenure) {
	key := ownerKey(k.name, t.partition)
	gone := k.session.Disown(persistence.Transaction{
		If:   []persistence.Condition{{Key: key, Revision: t.epoch}},
		Then: []persistence.Change{{Key: key, Delete: true}},
	}, key)
	for {
		ctx, cancel := context.WithTimeout(k.ctx, commitTimeout)
		_, err := k.session.Store().Commit(ctx, gone)
		cancel()
		if err == nil || actor.CodeOf(err) == actor.Aborted { // an attempt before has had its way
			break
		}
		if !wait(k.ctx, retryPause) {
			return
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held[t.partition] == t {
		delete(k.held, t.partition)
	}
	k.released[t.partition] = t.epoch
	k.awake()
}
