package consensus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// sessionTable is what a leader knows about sessions, in its memory only: renewals cost
// no entry in the log. A new leader gives each all of its time.
type sessionTable struct {
	core  *Core
	r     *replica
	local persistence.Store // System, as it is here

	mu       sync.Mutex
	sessions map[string]*lease
	earlier  chan struct{} // capacity 1: a deadline may be earlier than that waited for
}

// lease is a session as the leader has it.
type lease struct {
	ttl      time.Duration
	deadline time.Time
	ending   bool // it is no longer renewed
}

// cleanChunk is how many records of an ended session are deleted at once.
const cleanChunk = 100

// reign does what this node has to do whenever it leads.
func (c *Core) reign(ctx context.Context, r *replica) {
	for ctx.Err() == nil {
		changed := r.LeaderChanged()
		if leader, _ := r.Leader(); leader != c.config.Node {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		err := r.ReadBarrier(ctx) // since then, all that was acknowledged before is here
		if ended, _, ok := r.Leads(); ok && err == nil {
			err = c.keepSessions(ctx, r, ended)
		}
		restored := errors.Is(err, persistence.ErrHistoryGone) // a backup: the sessions are others now
		if err != nil && !restored && !errors.Is(err, errNotLeader) && ctx.Err() == nil {
			c.log.Warn("consensus: keeping sessions; trying again", "error", err)
		}
		select {
		case <-time.After(c.config.Timing.Patience / 16):
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// keepSessions ends sessions that are not renewed, until leadership ends.
func (c *Core) keepSessions(ctx context.Context, r *replica, ended <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &sessionTable{
		core: c, r: r,
		local:    persistence.Namespace(atReplica{r.Store(), r}, systemSpace),
		sessions: map[string]*lease{},
		earlier:  make(chan struct{}, 1),
	}
	seen := r.Store().Latest()
	if err := t.load(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.sessions = t
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.sessions == t {
			c.sessions = nil
		}
	}()
	var workers sync.WaitGroup
	defer workers.Wait()
	failed := make(chan error, 2)
	workers.Go(func() { failed <- t.follow(ctx, seen) })
	workers.Go(func() { failed <- t.expire(ctx) })
	defer cancel()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// load takes over the sessions there are.
func (t *sessionTable) load(ctx context.Context) error {
	records, err := t.local.List(ctx, persistence.Query{Prefix: sessionPrefix})
	for i := range records {
		t.add(strings.TrimPrefix(records[i].Key, sessionPrefix), records[i].Value)
	}
	return err
}

// finishOthers deletes what an earlier leader has left of sessions that have ended.
func (t *sessionTable) finishOthers(ctx context.Context) error {
	owned, err := t.local.List(ctx, persistence.Query{Prefix: ownedPrefix, KeysOnly: true})
	if err != nil {
		return err
	}
	last := ""
	for i := range owned {
		id, _, _ := strings.Cut(strings.TrimPrefix(owned[i].Key, ownedPrefix), "/")
		if id == last {
			continue
		}
		last = id
		_, err := t.local.Get(ctx, sessionKey(id))
		if errors.Is(err, persistence.ErrNotFound) {
			err = t.clean(ctx, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *sessionTable) add(id string, value []byte) {
	ttl, err := decodeTTL(value)
	if err != nil {
		t.core.log.Error("consensus: a session is taken for one of the usual length", "session", id, "error", err)
		ttl = t.core.config.Timing.SessionTTL
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[id] == nil {
		t.sessions[id] = &lease{ttl: ttl, deadline: time.Now().Add(ttl)}
	}
	t.wake()
}

// wake has expire look at the deadlines.
func (t *sessionTable) wake() {
	select {
	case t.earlier <- struct{}{}:
	default:
	}
}

// follow learns of sessions that are opened, and of those that have ended.
func (t *sessionTable) follow(ctx context.Context, after persistence.Revision) error {
	for changes, err := range t.local.Watch(ctx, sessionPrefix, after) {
		if err != nil {
			return err
		}
		for _, change := range changes.Changes {
			id := strings.TrimPrefix(change.Key, sessionPrefix)
			if !change.Delete {
				t.add(id, change.Value)
				continue
			}
			t.mu.Lock()
			delete(t.sessions, id)
			t.mu.Unlock()
		}
	}
	return nil
}

// expire ends the sessions whose time is over. It sleeps while there is none.
func (t *sessionTable) expire(ctx context.Context) error {
	if err := t.finishOthers(ctx); err != nil {
		return err
	}
	for {
		now := time.Now()
		var due []string
		var next time.Time
		t.mu.Lock()
		for id, l := range t.sessions {
			switch {
			case l.ending || !now.Before(l.deadline):
				l.ending = true
				due = append(due, id)
			case next.IsZero() || l.deadline.Before(next):
				next = l.deadline
			}
		}
		t.mu.Unlock()
		for _, id := range due {
			t.core.log.Info("consensus: a session has expired", "session", id)
			if err := t.finish(ctx, id); err != nil {
				return err
			}
		}
		if len(due) > 0 {
			continue
		}
		waiting, cancel := ctx, context.CancelFunc(func() {})
		if !next.IsZero() {
			waiting, cancel = context.WithDeadline(ctx, next)
		}
		select {
		case <-t.earlier:
		case <-waiting.Done():
		}
		cancel()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// renew gives a session all of its time again, counted from now.
func (t *sessionTable) renew(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.sessions[id]
	if l == nil || l.ending {
		return errUnknownSession()
	}
	l.deadline = time.Now().Add(l.ttl)
	return nil
}

func errUnknownSession() error {
	return fmt.Errorf("consensus: %w: the leader does not know it any more", ErrSessionEnded)
}

// finish deletes a session, so that nothing more can be owned, and then what it owns.
func (t *sessionTable) finish(ctx context.Context, id string) error {
	if _, err := persistence.Delete(ctx, t.local, sessionKey(id)); err != nil {
		return err
	}
	t.mu.Lock()
	delete(t.sessions, id)
	t.mu.Unlock()
	return t.clean(ctx, id)
}

// clean deletes what a session that is no more has owned: those records that nobody has
// written since.
func (t *sessionTable) clean(ctx context.Context, id string) error {
	for {
		owned, err := t.local.List(ctx, persistence.Query{Prefix: ownedKeys(id), Limit: cleanChunk, KeysOnly: true})
		if err != nil || len(owned) == 0 {
			return err
		}
		var deletion persistence.Transaction
		for _, mark := range owned {
			deletion.Then = append(deletion.Then, persistence.Change{Key: mark.Key, Delete: true})
			key := strings.TrimPrefix(mark.Key, ownedKeys(id))
			record, err := t.local.Get(ctx, key)
			if errors.Is(err, persistence.ErrNotFound) || err == nil && record.Revision != mark.Revision {
				continue
			}
			if err != nil {
				return err
			}
			deletion.If = append(deletion.If, persistence.Condition{Key: key, Revision: record.Revision})
			deletion.Then = append(deletion.Then, persistence.Change{Key: key, Delete: true})
		}
		if _, err := t.local.Commit(ctx, deletion); err != nil && !errors.Is(err, persistence.ErrConflict) {
			return err
		}
	}
}

// atReplica is the replica of a leader as a store: it reads what is there, and its
// commits are not sent again if it is not known what came of them.
type atReplica struct {
	*badger.Replica
	r *replica
}

func (s atReplica) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	outcomes, err := s.r.Propose(ctx, "", 0, []persistence.Transaction{t})
	if err != nil {
		return 0, err
	}
	return outcomes[0].Revision, outcomes[0].Err
}

// leading returns the table of sessions, if this node leads and has one.
func (c *Core) leading(r *replica) (*sessionTable, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions == nil || c.sessions.r != r {
		return nil, errNotLeader
	}
	return c.sessions, nil
}

// serveRenew renews a session. That this node leads is proven after it was asked to:
// so a later leader cannot have begun to count before.
func (c *Core) serveRenew(ctx context.Context, r *replica, id string) error {
	t, err := c.leading(r)
	if err != nil {
		return err
	}
	if err := r.ReadBarrier(ctx); err != nil {
		return err
	}
	// The table follows what is applied, and may be a little behind.
	record, err := t.local.Get(ctx, sessionKey(id))
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return errUnknownSession()
	case err != nil:
		return ended(err)
	}
	t.add(id, record.Value)
	return t.renew(id)
}

// serveEndSession ends a session.
func (c *Core) serveEndSession(ctx context.Context, r *replica, id string) error {
	t, err := c.leading(r)
	if err != nil {
		return err
	}
	if err := r.ReadBarrier(ctx); err != nil {
		return err
	}
	return t.finish(ctx, id)
}
