package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog/internal/record"
	"github.com/troupe-go/troupe/persistence"
)

const (
	identityKeys    = "id/"
	identityVersion = 1
)

// identity is a hash of the ID of an event; no two IDs have the same one.
type identity [16]byte

func identityOf(id string) identity {
	sum := sha256.Sum256([]byte(id))
	return identity(sum[:16])
}

// identities are those of the events that one transaction appended. They are kept
// apart from the events, which may go sooner, and are much less to read.
type identities struct {
	number Offset // of the first of its events: what its record is called
	time   int64
	all    []identified
}

type identified struct {
	identity
	offset Offset
}

func (s *identities) key() string { return identityKeys + fmt.Sprintf("%016x", uint64(s.number)) }

func (s *identities) encode() []byte {
	b := make([]byte, 0, 32+len(s.all)*(len(identity{})+2))
	b = append(b, identityVersion)
	b = binary.AppendUvarint(b, uint64(s.number))
	b = binary.AppendUvarint(b, uint64(s.time))
	b = binary.AppendUvarint(b, uint64(len(s.all)))
	for _, i := range s.all {
		b = binary.AppendUvarint(b, uint64(i.offset-s.number))
		b = append(b, i.identity[:]...)
	}
	return b
}

func decodeIdentities(data []byte) (*identities, error) {
	d := record.NewDecoder(data)
	d.Version(identityVersion)
	s := &identities{number: Offset(d.Uvarint()), time: int64(d.Uvarint())}
	s.all = make([]identified, d.Count(1+uint64(len(identity{}))))
	for i := range s.all {
		s.all[i].offset = s.number + Offset(d.Uvarint())
		copy(s.all[i].identity[:], d.Bytes(uint64(len(identity{}))))
	}
	return s, d.End()
}

// memory is what a partition knows of the events that came last.
type memory struct {
	byIdentity map[identity]Offset
	records    []*identities // oldest first
}

func (m *memory) add(s *identities) {
	if len(s.all) == 0 {
		return
	}
	m.records = append(m.records, s)
	for _, i := range s.all {
		m.byIdentity[i.identity] = i.offset
	}
}

// old returns how many of the oldest records need not be remembered, or a part of them.
func (m *memory) old(now int64, age time.Duration, count int) (n int) {
	const most = 64 // in a transaction
	known := len(m.byIdentity)
	for n < min(len(m.records), most) {
		s := m.records[n]
		if now-s.time <= int64(age) && known-len(s.all) < count {
			break
		}
		known -= len(s.all)
		n++
	}
	return n
}

func (m *memory) forget(n int) {
	for _, s := range m.records[:n] {
		for _, i := range s.all {
			// It may have come again meanwhile.
			if m.byIdentity[i.identity] == i.offset {
				delete(m.byIdentity, i.identity)
			}
		}
	}
	clear(m.records[:n])
	m.records = m.records[n:]
}

func (m *memory) load(ctx context.Context, store persistence.Store) error {
	const page = 256
	m.byIdentity = map[identity]Offset{}
	q := persistence.Query{Prefix: identityKeys, Limit: page}
	for {
		records, err := store.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range records {
			s, err := decodeIdentities(records[i].Value)
			if err != nil || s.key() != records[i].Key {
				return corrupt("the record %q does not hold the IDs of events", records[i].Key)
			}
			m.add(s)
			q.After = records[i].Key
		}
		if len(records) < page {
			return nil
		}
	}
}
