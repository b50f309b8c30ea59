package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// A backup comes into the log in parts, which are records that a session owns. One entry
// then has every replica put what is in them in place of what it has. So restoring is a
// step like any other: it happens when a majority has the entry, on all replicas at the
// same place in the log, whatever becomes of the leader.
const (
	partPrefix = "restore/"
	partSize   = 512 << 10
)

func partKey(session string, n uint64) string {
	return fmt.Sprintf("%s%s/%016x", partPrefix, session, n)
}

// truce is a session that is there after a backup was restored, for as long as any of
// before may be taken for alive by its owner. While it is there, no other can be opened:
// so nobody can own what another one still believes to own. It is that of no node, so
// that it is not renewed, and ends as any other.
const truce = "truce"

// systemKey is the key in the store of one in the system's namespace.
func systemKey(key string) string { return systemSpace + "\x00\x01" + key }

// restore applies an entry that is a restoration.
func (m *machine) restore(e *badger.Entry, q *pb.Restoration, result *applied) {
	ttl, err := m.longestSession(time.Duration(q.Ttl))
	var outcome badger.Outcome
	if err == nil {
		e.Transactions = []persistence.Transaction{{Then: []persistence.Change{{Key: systemKey(sessionKey(truce)), Value: encodeTTL(ttl)}}}}
		parts := &partReader{ctx: m.ctx, store: m.store, session: q.Session, parts: q.Parts}
		outcome, err = m.store.Replace(m.ctx, *e, parts, unowned())
		if errors.Is(err, ErrSessionEnded) { // it has deleted parts, on all replicas
			outcome.Err = err
			_, err = m.store.Apply([]badger.Entry{{Index: e.Index, At: e.At}})
		}
	}
	switch {
	case err != nil:
		m.fail(fmt.Errorf("consensus: restoring a backup with entry %d: %w", e.Index, err))
	case outcome.Revision > 0 || outcome.Err != nil:
		result.outcomes = []badger.Outcome{outcome}
	}
}

// longestSession returns how long the sessions there are can last, and at least least.
func (m *machine) longestSession(least time.Duration) (time.Duration, error) {
	sessions, err := m.store.List(m.ctx, persistence.Query{Prefix: systemKey(sessionPrefix)})
	for i := range sessions {
		if ttl, err := decodeTTL(sessions[i].Value); err == nil {
			least = max(least, ttl)
		}
	}
	return least, err
}

// unowned selects what is no session, and is owned by none. Their owners are gone, or
// have others by now.
func unowned() badger.Selection {
	type written struct {
		key      string
		revision persistence.Revision
	}
	owned := map[written]bool{}
	return badger.Selection{
		Look: func(r persistence.Record) {
			if mark, ok := strings.CutPrefix(r.Key, systemKey(ownedPrefix)); ok {
				_, key, _ := strings.Cut(mark, "/")
				owned[written{systemKey(key), r.Revision}] = true
			}
		},
		Take: func(r persistence.Record) bool {
			return !strings.HasPrefix(r.Key, systemKey(ownedPrefix)) &&
				!strings.HasPrefix(r.Key, systemKey(sessionPrefix)) &&
				!owned[written{r.Key, r.Revision}]
		},
	}
}

// partReader reads the parts of a backup one after the other.
type partReader struct {
	ctx     context.Context
	store   *badger.Replica
	session string
	parts   uint64

	next uint64
	rest []byte
}

func (p *partReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.next == p.parts {
			return 0, io.EOF
		}
		r, err := p.store.Get(p.ctx, systemKey(partKey(p.session, p.next)))
		switch {
		case errors.Is(err, persistence.ErrNotFound):
			return 0, fmt.Errorf("consensus: %w: the parts of the backup are gone with it", ErrSessionEnded)
		case err != nil:
			return 0, err
		}
		p.rest = r.Value
		p.next++
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// Seek only goes to the beginning, or tells that it is there.
func (p *partReader) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence == io.SeekEnd || whence == io.SeekCurrent && (p.next > 0 || p.rest != nil) {
		return 0, errors.New("consensus: parts are read from the beginning")
	}
	p.next, p.rest = 0, nil
	return 0, nil
}
