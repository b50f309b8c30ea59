package badger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/troupe-go/troupe/persistence"
)

// The keys inside Badger begin with a letter that says what is kept there. Badger's
// own begin with "!".
const (
	spaceLog      = 'l' // transactions, by the revision of the last of them
	spaceMeta     = 'm' // facts about the store
	spaceProposer = 'q' // what a replica remembers, by proposer
	spaceRecord   = 'r' // a record, by key
	spaceExpiry   = 'x' // which record ends at what time
	spacePiece    = 'v' // a part of a large value, by number and key
	spaceScratch  = 'z' // nothing that counts
)

// restoringKey is there as long as a restore is not complete.
func restoringKey() []byte { return []byte{spaceMeta, 'r'} }

// placeKey is where a replica is in its log.
func placeKey() []byte { return []byte{spaceMeta, 'p'} }

// proposerKey is what a replica remembers of a proposer.
func proposerKey(name string) []byte { return append([]byte{spaceProposer}, name...) }

func recordKey(key string) []byte {
	out := make([]byte, 0, 1+len(key))
	return append(append(out, spaceRecord), key...)
}

func pieceKey(n int, key string) []byte {
	out := make([]byte, 0, 5+len(key))
	out = binary.BigEndian.AppendUint32(append(out, spacePiece), uint32(n))
	return append(out, key...)
}

// logKey sorts by the last revision, so that the first key not before r is that of the
// transactions that r is among.
func logKey(first, last persistence.Revision) []byte {
	k := binary.BigEndian.AppendUint64([]byte{spaceLog}, uint64(last))
	return binary.BigEndian.AppendUint64(k, uint64(first))
}

func logSeek(r persistence.Revision) []byte { return logKey(0, r) }

func parseLogKey(k []byte) (first, last persistence.Revision, ok bool) {
	if len(k) != 17 || k[0] != spaceLog {
		return 0, 0, false
	}
	last = persistence.Revision(binary.BigEndian.Uint64(k[1:]))
	first = persistence.Revision(binary.BigEndian.Uint64(k[9:]))
	return first, last, first <= last
}

// revisionsOf returns which revisions a log in Badger's files is of; all is whether the
// history begins behind them.
func revisionsOf(key, value []byte) (first, last persistence.Revision, all, ok bool) {
	first, last, ok = parseLogKey(key)
	return first, last, bytes.Equal(value, encodeBase()), ok
}

// expiryKey sorts by time first. Times before 1970 do not occur: a record ends after
// it was written.
func expiryKey(at int64, key string) []byte {
	out := make([]byte, 0, 9+len(key))
	out = binary.BigEndian.AppendUint64(append(out, spaceExpiry), uint64(at))
	return append(out, key...)
}

func parseExpiryKey(k []byte) (at int64, key string, ok bool) {
	if len(k) < 9 || k[0] != spaceExpiry {
		return 0, "", false
	}
	n := binary.BigEndian.Uint64(k[1:])
	if n > math.MaxInt64 {
		return 0, "", false
	}
	return int64(n), string(k[9:]), true
}

// after returns the first key that is behind all keys with the prefix p, and false
// if there is none.
func after(p []byte) ([]byte, bool) {
	p = bytes.TrimRight(p, "\xff")
	if len(p) == 0 {
		return nil, false
	}
	end := bytes.Clone(p)
	end[len(end)-1]++
	return end, true
}

// quote makes a key fit for a message.
func quote(key string) string {
	const most = 80
	if utf8.RuneCountInString(key) > most {
		return fmt.Sprintf("%.*q...", most, key)
	}
	return strconv.Quote(key)
}
