package eventlog

import "time"

// Offset is the number of an event in its log, from 1. 0 is before the first.
type Offset uint64

// Event is what a log keeps.
type Event struct {
	// ID makes appending the event again do nothing. Events without one are appended
	// as often as they are given.
	ID string
	// Key is what the event is about. Events with the same one are delivered one after
	// the other; those without one do not wait for others.
	Key string
	// Type and ContentType say what Payload is. They, Header and Payload are kept as
	// they are.
	Type, ContentType string
	Header            map[string]string
	Payload           []byte

	// Offset is that of the event, and Time when it was appended, which never goes
	// back from one event to the next. Append does not use them.
	Offset Offset
	Time   time.Time
	// Dead says what became of the event, in a log of dead letters. Append does not
	// use it.
	Dead *DeadLetter
}

// DeadLetter says why a group has given up an event.
type DeadLetter struct {
	Group    string
	Offset   Offset // of the event, in the log of the group
	Attempts int    // how often it was delivered
	Error    string // of the last attempt, up to 1 KiB
}

// What an event may have at most, in bytes: as a whole, which is also what one call of
// Append takes, and in its ID and Key.
const (
	MaxEventSize = 1 << 20
	MaxKeySize   = 1 << 10
)

// MaxErrorSize is that of the error in a dead letter.
const MaxErrorSize = 1 << 10

// Delivery is an event that a consumer got. Its Payload and Header belong to all
// groups: nobody may change them.
type Delivery struct {
	Event
	// Tag names the delivery when it is acknowledged or refused. No other one of the
	// partition ever has it.
	Tag uint64
	// Attempt numbers the deliveries of the event to this group, from 1.
	Attempt int
	// Suspect says that earlier deliveries have ended without a trace, perhaps because
	// the event ends whoever handles it. Before it is handled, [Consumer.Begin] must be
	// called, so that it is found out, and [Consumer.Flush] when it is settled, so that it
	// is not suspected of what another one does.
	Suspect bool
}

// Position is a place in a log. The zero value is its start.
type Position struct {
	offset Offset
	end    bool
	time   time.Time
}

// Start is the first event that is kept.
func Start() Position { return Position{} }

// End is behind the last event.
func End() Position { return Position{end: true} }

// AtOffset is the event with that offset, or the next one that is kept, or the end.
func AtOffset(o Offset) Position { return Position{offset: o} }

// AtTime is the first event that was appended at that time or later.
func AtTime(t time.Time) Position { return Position{time: t} }
