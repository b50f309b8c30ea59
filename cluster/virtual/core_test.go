package virtual

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// testCore is a store for all nodes of a test, and their sessions, in memory. Nodes can
// be cut off from it.
type testCore struct {
	mu      sync.Mutex
	records map[string]persistence.Record
	history []persistence.Changes
	changed chan struct{}
	opened  int
	members map[string]*testMember
	commits int
	latency time.Duration // of a commit
}

// How long a node that is cut off keeps its session by its own clock, and by the
// core's.
const (
	ownLease  = 2 * time.Second
	coreLease = 3 * time.Second
)

func newTestCore() *testCore {
	return &testCore{records: make(map[string]persistence.Record), changed: make(chan struct{}), members: make(map[string]*testMember)}
}

// member returns the core as the process of a node sees it.
func (c *testCore) member(node string) *testMember {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &testMember{core: c, node: node}
	c.members[node] = m
	return m
}

// cutOff lets a node not reach the core any more.
func (c *testCore) cutOff(node string) { c.members[node].away(true) }

func (c *testCore) heal(node string) { c.members[node].away(false) }

// leave ends the session of a node that has left.
func (c *testCore) leave(node string) {
	if s := c.members[node].current(); s != nil {
		s.end()
		s.expire()
	}
}

// lose ends the session of a node that goes on.
func (c *testCore) lose(node string) {
	if s := c.members[node].current(); s != nil {
		s.end()
		time.AfterFunc(coreLease-ownLease, s.expire)
	}
}

func (c *testCore) owners(kind string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	owners := make(map[string]int)
	for key, r := range c.records {
		if strings.HasPrefix(key, kindPrefix(kind)+"shard/") {
			p, _ := decodePlace(persistence.Change{Key: key, Value: r.Value})
			owners[p.Node]++
		}
	}
	return owners
}

func (c *testCore) commit(t persistence.Transaction, only *testSession) (persistence.Revision, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if only != nil && only.expired {
		return 0, persistence.ErrConflict
	}
	for _, i := range t.If {
		if c.records[i.Key].Revision != i.Revision {
			return 0, persistence.ErrConflict
		}
	}
	if len(t.Then) == 0 {
		return persistence.Revision(len(c.history)), nil
	}
	c.commits++
	revision := persistence.Revision(len(c.history) + 1)
	for _, change := range t.Then {
		if change.Delete {
			delete(c.records, change.Key)
		} else {
			c.records[change.Key] = persistence.Record{Key: change.Key, Value: change.Value, Revision: revision}
		}
	}
	c.history = append(c.history, persistence.Changes{Revision: revision, Changes: t.Then})
	close(c.changed)
	c.changed = make(chan struct{})
	return revision, nil
}

// testMember is a store that can be out of reach.
type testMember struct {
	core *testCore
	node string

	mu      sync.Mutex
	cut     chan struct{} // closed while the core is out of reach; else nil
	session *testSession
	timers  []*time.Timer
}

func (m *testMember) away(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.timers {
		if !t.Stop() {
			break // it has given up its session, which will expire
		}
	}
	m.timers, m.cut = nil, nil
	if away {
		m.cut = make(chan struct{})
		close(m.cut)
		if s := m.session; s != nil {
			m.timers = []*time.Timer{time.AfterFunc(ownLease, s.end), time.AfterFunc(coreLease, s.expire)}
		}
	}
}

func (m *testMember) current() *testSession {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

func (m *testMember) reach(ctx context.Context) error {
	m.mu.Lock()
	cut := m.cut
	m.mu.Unlock()
	if cut == nil {
		return ctx.Err()
	}
	if !pause(ctx, 700*time.Millisecond) {
		return ctx.Err()
	}
	return actor.Errorf(actor.Unavailable, "test: no quorum")
}

func (m *testMember) open(ctx context.Context) (session, error) {
	if err := m.reach(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil || m.session.Err() != nil {
		m.core.mu.Lock()
		m.core.opened++
		id := fmt.Sprintf("%s-%d", m.node, m.core.opened)
		m.core.mu.Unlock()
		m.session = &testSession{member: m, id: id, done: make(chan struct{}), owned: make(map[string]bool)}
	}
	return m.session, nil
}

func (m *testMember) Get(ctx context.Context, key string, _ ...persistence.ReadOption) (persistence.Record, error) {
	if err := m.reach(ctx); err != nil {
		return persistence.Record{}, err
	}
	m.core.mu.Lock()
	defer m.core.mu.Unlock()
	r, ok := m.core.records[key]
	if !ok {
		return r, persistence.ErrNotFound
	}
	return r, nil
}

func (m *testMember) List(ctx context.Context, q persistence.Query, _ ...persistence.ReadOption) ([]persistence.Record, error) {
	if err := m.reach(ctx); err != nil {
		return nil, err
	}
	m.core.mu.Lock()
	defer m.core.mu.Unlock()
	var found []persistence.Record
	for _, key := range slices.Sorted(maps.Keys(m.core.records)) {
		if strings.HasPrefix(key, q.Prefix) {
			found = append(found, m.core.records[key])
		}
	}
	return found, nil
}

func (m *testMember) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	if err := m.reach(ctx); err != nil {
		return 0, err
	}
	m.mu.Lock()
	s := m.session
	m.mu.Unlock()
	if m.core.latency > 0 && !pause(ctx, m.core.latency) {
		return 0, ctx.Err()
	}
	return m.core.commit(t, s)
}

func (m *testMember) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return func(yield func(persistence.Changes, error) bool) {
		for {
			m.core.mu.Lock()
			news, changed := m.core.history[after:], m.core.changed
			m.core.mu.Unlock()
			if m.reach(ctx) != nil {
				yield(persistence.Changes{}, actor.Errorf(actor.Unavailable, "test: the watch is cut"))
				return
			}
			for _, c := range news {
				after = c.Revision
				c.Changes = slices.DeleteFunc(slices.Clone(c.Changes), func(c persistence.Change) bool { return !strings.HasPrefix(c.Key, prefix) })
				if len(c.Changes) > 0 && !yield(c, nil) {
					return
				}
			}
			if len(news) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(persistence.Changes{}, ctx.Err())
				return
			}
		}
	}
}

func (*testMember) Close() error { return nil }

// testSession is the lease of a testMember.
type testSession struct {
	member *testMember
	id     string
	once   sync.Once
	done   chan struct{}

	mu      sync.Mutex
	owned   map[string]bool
	expired bool // guarded by the core
}

func (s *testSession) ID() string               { return s.id }
func (s *testSession) Store() persistence.Store { return s.member }
func (s *testSession) Done() <-chan struct{}    { return s.done }

func (s *testSession) Err() error {
	select {
	case <-s.done:
		return actor.Errorf(actor.Unavailable, "test: the session is lost")
	default:
		return nil
	}
}

func (s *testSession) Own(t persistence.Transaction, keys ...string) persistence.Transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.owned[k] = true
	}
	return t
}

func (s *testSession) Disown(t persistence.Transaction, _ ...string) persistence.Transaction {
	return t
}

func (s *testSession) end() { s.once.Do(func() { close(s.done) }) }

// expire deletes what the session owns, once.
func (s *testSession) expire() {
	c := s.member.core
	c.mu.Lock()
	s.expired = true
	var t persistence.Transaction
	s.mu.Lock()
	for k := range s.owned {
		if r, ok := c.records[k]; ok {
			if p, err := decodePlace(persistence.Change{Key: k, Value: r.Value}); err == nil && p.Session == s.id {
				t.Then = append(t.Then, persistence.Change{Key: k, Delete: true})
			}
		}
	}
	s.mu.Unlock()
	c.mu.Unlock()
	if len(t.Then) > 0 {
		_, _ = c.commit(t, nil)
	}
}
