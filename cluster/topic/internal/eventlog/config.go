package eventlog

import (
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// Config says how [Open] opens a partition. Store, Name and Epoch are required.
type Config struct {
	// Store keeps the partition. It stays open when the partition is closed.
	Store persistence.Store
	// Name is that of the partition. Those of one store have different names.
	Name string
	// Epoch is the fencing token of the owner, which only grows, such as that of a
	// virtual actor. Opening again with the same one is opening anew.
	Epoch persistence.Revision
	// Events and DeadLetters limit the two logs. Dead letters are never refused: the
	// oldest go.
	Events, DeadLetters Limits
	// DuplicateAge and DuplicateCount say for how long the ID of an event is
	// remembered: for that time, and until that many others have come. The defaults are
	// 10 minutes and 100,000, which take up to 8 MiB of memory.
	DuplicateAge   time.Duration
	DuplicateCount int
	// Logger gets to know of what goes wrong. The default discards it.
	Logger *slog.Logger
}

// Limits say how much a log keeps. Zero is without a limit.
type Limits struct {
	// Age is how long events are kept, to the second or a tenth of it, whichever is more.
	Age time.Duration
	// Bytes and Count are how much is kept at most. Bytes is of whole blocks, roughly 24 KiB
	// each, and counts keys, IDs and headers too.
	Bytes, Count int64
	// Refuse lets Append fail with [ErrFull] where the log is at Bytes or Count, unless
	// there are events that all groups are done with, which then go. Without it the
	// oldest events go, whoever has yet to get them.
	Refuse bool
}

func (c Config) withDefaults() Config {
	if c.DuplicateAge == 0 {
		c.DuplicateAge = 10 * time.Minute
	}
	if c.DuplicateCount == 0 {
		c.DuplicateCount = 100_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.DeadLetters.Refuse = false
	return c
}

func (c Config) validate() error {
	negative := func(l Limits) bool { return l.Age < 0 || l.Bytes < 0 || l.Count < 0 }
	switch {
	case c.Store == nil || c.Name == "":
		return invalid("Config needs a Store and a Name")
	case c.DuplicateAge < 0 || c.DuplicateCount < 0 || negative(c.Events) || negative(c.DeadLetters):
		return invalid("a limit in Config is negative; 0 is the default")
	}
	return nil
}
