package virtual

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// server runs the actors of one kind on this node.
type server struct {
	kind    *kind
	config  config
	spawn   func(name string, check func() error) (actor.Address, error)
	active  sync.Map      // of *activation, by name
	wake    chan struct{} // lets run look again
	leaving chan struct{} // closed when the node leaves
	left    chan struct{} // closed when nothing is owned any more
	depart  sync.Once
	refused settings // of others, which are not those of this one; owned by run

	mu       sync.Mutex
	session  session // nil when there is none, and for BestEffort
	owned    map[int]*shard
	released map[int]persistence.Revision // epochs that are over
	moving   int                          // hand-overs of shards with activations
	count    int                          // of activations
	gone     bool                         // nothing is parked any more: the node goes
}

// shard is one that this node owns.
type shard struct {
	index   int
	epoch   persistence.Revision
	closing bool // nothing is activated there any more
	began   bool // a singleton has been started
	live    map[*activation]struct{}
	empty   chan struct{} // closed when a closing shard has no activation left
}

func newShard(index int, epoch persistence.Revision) *shard {
	return &shard{index: index, epoch: epoch, live: make(map[*activation]struct{}), empty: make(chan struct{})}
}

func newServer(k *kind, c config, spawn func(string, func() error) (actor.Address, error)) *server {
	return &server{
		kind: k, config: c, spawn: spawn,
		wake: make(chan struct{}, 1), leaving: make(chan struct{}), left: make(chan struct{}),
		owned: make(map[int]*shard), released: make(map[int]persistence.Revision),
	}
}

// find returns the activation of an actor, new if there is none.
func (s *server) find(name string) (*activation, error) {
	if a, ok := s.active.Load(name); ok {
		return a.(*activation), nil
	}
	a, isNew, err := s.findOrActivate(name)
	if isNew {
		a.watch()
	}
	return a, err
}

func (s *server) findOrActivate(name string) (a *activation, isNew bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.active.Load(name); ok {
		return a.(*activation), false, nil
	}
	if a, err = s.activate(name); err != nil {
		return nil, false, err
	}
	s.active.Store(name, a)
	return a, true, nil
}

// activate starts an actor. The caller holds the lock, stores the activation when
// others may find it, and then, without the lock, watches it.
func (s *server) activate(name string) (*activation, error) {
	sh, err := s.shardOf(name)
	if err != nil {
		return nil, err
	}
	a := &activation{server: s, name: name, shard: sh, session: s.session}
	a.address, err = s.spawn(name, a.check)
	if actor.CodeOf(err) == actor.AlreadyExists {
		return nil, notHere(name, "its last activation has not ended yet")
	}
	if err != nil {
		return nil, err
	}
	sh.live[a] = struct{}{}
	if s.count++; s.count == 1 {
		s.awake()
	}
	return a, nil
}

// shardOf returns the shard of an actor if this node may activate it now.
func (s *server) shardOf(name string) (*shard, error) {
	if !s.config.mayRun() {
		return nil, notHere(name, "its node does not have the role "+s.config.settings.Role)
	}
	if s.config.bestEffort {
		index := shardOf(name, gossipShards)
		if s.owned[index] == nil {
			s.owned[index] = newShard(index, 0)
		}
		return s.owned[index], nil
	}
	count := len(s.kind.table.Load().shards)
	if s.session == nil || count == 0 {
		return nil, notHere(name, "its node owns nothing now")
	}
	if err := s.session.Err(); err != nil {
		return nil, notHere(name, err.Error())
	}
	sh := s.owned[shardOf(name, count)]
	if sh == nil || sh.closing {
		return nil, notHere(name, "its shard has moved")
	}
	return sh, nil
}

// ended is called once when an activation is over. What has come for it since it
// stopped taking messages goes to the next one.
func (s *server) ended(a *activation) {
	s.mu.Lock()
	s.active.Delete(a.name)
	delete(a.shard.live, a)
	s.count--
	parked := a.parked
	a.over, a.parked = true, nil
	var next *activation
	var err error
	if len(parked) > 0 {
		if next, err = s.activate(a.name); err == nil {
			for _, p := range parked {
				s.hand(p)
			}
			s.active.Store(a.name, next)
		}
	}
	if a.shard.closing && len(a.shard.live) == 0 {
		close(a.shard.empty)
	}
	if s.count == 0 {
		s.awake()
	}
	s.mu.Unlock()
	if next != nil {
		next.watch()
	}
	if err != nil {
		for _, p := range parked {
			s.misplaced(p, err)
		}
	}
	if s.kind.waiting.Load() > 0 || s.kind.backlog.count.Load() > 0 {
		s.kind.stir()
	}
}

// hand gives a message that was parked to the actor.
func (s *server) hand(p parked) {
	if err := s.kind.extension.node.System().Deliver(p.ctx, p.delivery); err != nil {
		s.reject(p, err)
	}
}

// misplaced sends a message on whose actor is not here.
func (s *server) misplaced(p parked, reason error) {
	if p.delivery.Reply == nil && isUntaken(reason, nil) {
		reason = s.kind.keep(p.delivery.Path, letter{forwarded: newForwarded(p.delivery), from: p.ctx})
	}
	if reason != nil {
		s.reject(p, reason)
	}
}

func (s *server) reject(p parked, reason error) {
	if p.delivery.Reply != nil {
		p.delivery.Reply(nil, reason)
		return
	}
	s.kind.lose(p.delivery.Path, letter{forwarded: newForwarded(p.delivery)}, reason)
}

// drain lets the activations of a shard handle what they have, and end. Those that
// take too long have their contexts cancelled. It returns false if ctx ends before
// they have ended.
func (s *server) drain(ctx context.Context, sh *shard) bool {
	s.close(sh)
	waiting := s.kind.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("virtual: a shard of the kind %q moves to another node, and waits", s.kind.name))
	defer waiting.Done()
	waiting.Because(errors.New("its actors handle what they have; after 10 s their contexts end"))
	s.end(sh.live, (*activation).drain)
	patience, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	select {
	case <-sh.empty:
		return true
	case <-patience.Done():
	}
	s.end(sh.live, (*activation).stop)
	select {
	case <-sh.empty:
		return true
	case <-ctx.Done():
		return false
	}
}

// close lets nothing be activated in a shard any more.
func (s *server) close(sh *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sh.closing {
		sh.closing = true
		if len(sh.live) == 0 {
			close(sh.empty)
		}
	}
}

// end lets some activations end; it does not wait.
func (s *server) end(live map[*activation]struct{}, end func(*activation)) {
	s.mu.Lock()
	all := make([]*activation, 0, len(live))
	for a := range live {
		all = append(all, a)
	}
	s.mu.Unlock()
	for _, a := range all {
		end(a)
	}
}

// fence ends everything at once: the session is lost.
func (s *server) fence() {
	s.mu.Lock()
	shards := s.owned
	s.session, s.owned, s.moving = nil, make(map[int]*shard), 0
	s.mu.Unlock()
	for _, sh := range shards {
		s.end(sh.live, (*activation).stop)
	}
}

func (s *server) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// leave hands over all that runs here. When ctx ends first, the session's end does.
func (s *server) leave(ctx context.Context) {
	s.depart.Do(func() { close(s.leaving) })
	select {
	case <-s.left:
	case <-ctx.Done():
		s.giveBack()
	}
}

// giveBack lets others handle what waits for activations that have not ended in time:
// their node goes, and none of it has run.
func (s *server) giveBack() {
	s.mu.Lock()
	s.gone = true
	var all []parked
	for _, v := range s.active.Range {
		a := v.(*activation)
		all, a.parked = append(all, a.parked...), nil
	}
	s.mu.Unlock()
	for _, p := range all {
		s.misplaced(p, leaving(p.delivery.Path))
	}
}
