package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// Session is a lease on records of [Core.System]: when it ends, because its node has
// died, is cut off or has closed it, the leader deletes what it owns (Gray and
// Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache
// Consistency", 1989). Its node renews it, and counts for itself how long it holds:
// from before a renewal was sent, and for 4/5 of the time that the leader gives it
// after that. So Done is closed before anybody else can own what this owned.
//
// Only monotonic clocks are used: setting the clock of a machine does nothing. The clocks
// of two machines may differ in speed by a tenth. A process that was stopped (SIGSTOP)
// for longer finds at its next call of Err that the session has ended. On Linux the
// monotonic clock stands still while a machine is suspended, or a virtual one paused:
// then Err learns it only from the leader, with the next renewal, and until then what
// is written must be guarded, by [Session.Own] or with the revision as fencing token.
//
// All methods may be called concurrently.
type Session struct {
	core     *Core
	id       string
	revision persistence.Revision // of its record
	stop     context.CancelFunc   // ends the renewals
	done     chan struct{}

	mu       sync.Mutex
	deadline time.Time
	timer    *time.Timer
	err      error
	late     bool // it ended here alone: the leader may count on
}

// sessionRecord is what the record of a session says, and how it and those of what it
// owns are named.
const (
	sessionPrefix = "session/"
	ownedPrefix   = "owned/"
)

func sessionKey(id string) string      { return sessionPrefix + id }
func ownedKeys(id string) string       { return ownedPrefix + id + "/" }
func ownedKey(id, owned string) string { return ownedKeys(id) + owned }

// sessionBytes is how many random bytes make an ID unique, after the name of the node.
const sessionBytes = 8

// opened reports whether a session is one of node.
func opened(node, id string) bool {
	end := len(id) - 2*sessionBytes - 1
	return end > 0 && id[:end] == node && id[end] == '-'
}

// OpenSession starts a session, which lasts until it is closed, or cannot be renewed for
// [Timing.SessionTTL]. One for a node is usual. After a backup was restored, it waits until
// those of before have surely ended.
func (c *Core) OpenSession(ctx context.Context) (*Session, error) {
	if _, err := (store{c}).latest(ctx); err != nil { // the first use of a core takes time
		return nil, fmt.Errorf("consensus: opening a session: %w", err)
	}
	id := c.config.Node + "-" + randomHex(sessionBytes)
	opening := persistence.Transaction{
		If:   []persistence.Condition{{Key: sessionKey(id)}, {Key: sessionKey(truce)}},
		Then: []persistence.Change{{Key: sessionKey(id), Value: encodeTTL(c.config.Timing.SessionTTL)}},
	}
	var sent time.Time
	var revision persistence.Revision
	var truceEnds func()
	for {
		var err error
		sent = time.Now()
		revision, err = c.system.Commit(ctx, opening)
		if err == nil {
			break
		}
		if errors.Is(err, persistence.ErrConflict) { // there is a truce
			if truceEnds == nil {
				truceEnds = c.waits.Begin(c.log, slog.LevelWarn, "consensus: a session is not opened yet", func() string { return duringTruce })
				defer truceEnds()
			}
			if pause(ctx, c.config.Timing.renewal()) {
				continue
			}
			return nil, fmt.Errorf("consensus: opening a session: %s: %w", duringTruce, ctx.Err())
		}
		return nil, fmt.Errorf("consensus: opening a session: %w", err)
	}
	c.noteSession(id)
	renewing, stop := context.WithCancel(c.ctx)
	s := newSession(c, id, revision, sent, stop)
	if !c.enter() {
		s.lose(errClosed())
		return nil, errClosed()
	}
	go func() {
		defer c.running.Done()
		s.renew(renewing, sent)
	}()
	if err := s.Err(); err != nil { // it took too long
		return nil, err
	}
	return s, nil
}

// duringTruce is why no session is opened after a backup was restored.
const duringTruce = "a back-up was restored, and the sessions of before have not ended yet"

// newSession returns a session whose opening was sent at a time; stop ends its renewing.
func newSession(c *Core, id string, revision persistence.Revision, sent time.Time, stop func()) *Session {
	s := &Session{core: c, id: id, revision: revision, stop: stop, done: make(chan struct{})}
	s.mu.Lock() // the timer may fire at once
	defer s.mu.Unlock()
	s.deadline = sent.Add(c.hold())
	s.timer = time.AfterFunc(time.Until(s.deadline), s.expire)
	return s
}

// hold is how long a session surely holds after a renewal was sent.
func (c *Core) hold() time.Duration { return c.config.Timing.SessionTTL * 4 / 5 }

// ID returns the name of the session, which no other has, ever.
func (s *Session) ID() string { return s.id }

// Done is closed when the session has ended, before anybody else can own what it owned.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns nil while the session surely holds, by the clock, and else why not: an
// error that is [ErrSessionEnded]. It is stricter than Done, which needs its
// goroutine to run.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && !time.Now().Before(s.deadline) {
		s.late = true
		s.end(fmt.Errorf("consensus: %w: it could not be renewed in time", ErrSessionEnded))
	}
	return s.err
}

func (s *Session) isLate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

// expire is called by the timer.
func (s *Session) expire() { _ = s.Err() }

// lose ends the session on this side.
func (s *Session) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(err)
}

// end is called with mu held.
func (s *Session) end(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	s.timer.Stop()
	s.stop()
	close(s.done)
}

// extend moves the deadline, if the session still holds.
func (s *Session) extend(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := sent.Add(s.core.hold())
	if s.err != nil || !time.Now().Before(s.deadline) || !deadline.After(s.deadline) {
		return
	}
	s.deadline = deadline
	s.timer.Reset(time.Until(deadline))
}

// renew sends renewals until the session ends. If it does for being late, as after a long
// election, the leader is told.
func (s *Session) renew(ctx context.Context, sent time.Time) {
	interval := s.core.config.Timing.renewal()
	timer := time.NewTimer(time.Until(sent.Add(interval)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			s.lose(fmt.Errorf("consensus: %w: the node has left", ErrSessionEnded)) // if it was not closed
			if s.isLate() {
				s.core.endSession(s.core.ctx, s.id)
			}
			return
		}
		sent := time.Now()
		err := s.core.renewSession(ctx, s.id)
		switch {
		case err == nil:
			s.extend(sent)
			timer.Reset(time.Until(sent.Add(interval)))
		case errors.Is(err, ErrSessionEnded):
			s.lose(err)
		default:
			timer.Reset(interval / 8)
		}
	}
}

// renewSession has the leader renew a session. It asks one leader, once.
func (c *Core) renewSession(ctx context.Context, id string) error {
	core, err := c.current()
	if err != nil {
		return err
	}
	until := time.Now().Add(c.hold())
	l, err := c.leader(ctx, until)
	if err != nil {
		return err
	}
	_, err = c.attempt(ctx, l, &pb.Request{Core: core, Kind: &pb.Request_Renew{Renew: &pb.Renew{Session: id}}}, &until)
	if err != nil && !definite(err) {
		c.search.forget(l)
	}
	return err
}

// Own returns t, extended so that it happens only while the session exists, and so that
// the records that it writes under keys are deleted when the session ends, unless they
// have been written again by then: write them always with Own. t is for
// [Core.System], its keys as they are there.
func (s *Session) Own(t persistence.Transaction, keys ...string) persistence.Transaction {
	t.If = append(slices.Clone(t.If), persistence.Condition{Key: sessionKey(s.id), Revision: s.revision})
	t.Then = slices.Clone(t.Then)
	for _, key := range keys {
		t.Then = append(t.Then, persistence.Change{Key: ownedKey(s.id, key)})
	}
	return t
}

// Disown returns t, which deletes the records under keys, extended so that the session
// no longer remembers that it owned them.
func (s *Session) Disown(t persistence.Transaction, keys ...string) persistence.Transaction {
	t.Then = slices.Clone(t.Then)
	for _, key := range keys {
		t.Then = append(t.Then, persistence.Change{Key: ownedKey(s.id, key), Delete: true})
	}
	return t
}

// Close ends the session, and has what it owns deleted at once. If it returns an error,
// that may happen only when the session expires. It is idempotent.
func (s *Session) Close(ctx context.Context) error {
	s.lose(fmt.Errorf("consensus: %w: it was closed", ErrSessionEnded))
	c := s.core
	if err := c.check(ctx); err != nil {
		return err
	}
	core, err := c.current()
	if err != nil {
		return err
	}
	_, err = c.atLeader(ctx, &pb.Request{Core: core, Kind: &pb.Request_EndSession{EndSession: &pb.EndSession{Session: s.id}}})
	if err == nil {
		c.noteSession("")
	}
	return err
}

// encodeTTL is the value of a session's record.
func encodeTTL(ttl time.Duration) []byte { return []byte(ttl.String()) }

func decodeTTL(value []byte) (time.Duration, error) {
	ttl, err := time.ParseDuration(string(value))
	if err == nil && (ttl <= 0 || ttl > time.Hour) {
		err = errors.New("out of range")
	}
	if err != nil {
		return 0, actor.Errorf(actor.DataLoss, "consensus: the record of a session says that it lasts %q: %w", value, err)
	}
	return ttl, nil
}
