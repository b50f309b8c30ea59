package badger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/settings"
)

// Config says how [Open] opens a store. The zero value is a store in memory with the
// defaults below. Package settings can fill it; a change needs a restart.
type Config struct {
	// Dir is the directory of the store. It is made, readable by its owner alone, if
	// it does not exist. Empty keeps everything in memory, with the same code;
	// nothing is left after Close.
	Dir string `doc:"Folder of the store. Empty keeps everything in memory." reload:"restart"`

	// Logger gets what is worth knowing, and at debug level what Badger has to say.
	// The default discards it.
	Logger *slog.Logger `koanf:"-"`

	// EncryptionKey encrypts what is on disk with AES; it has 16, 24 or 32 bytes.
	// Empty leaves it readable. A store is encrypted from its beginning or never.
	// It encrypts the keys of the data, which Badger renews every ten days.
	EncryptionKey Key `secret:"true" doc:"Encrypts what is on disk: 32, 48 or 64 hexadecimal digits. A store is encrypted\nfrom its beginning or never." reload:"restart"`

	// PreviousKey is the key that EncryptionKey takes the place of. Set both once to
	// rotate the key; it does no harm to leave it set.
	PreviousKey Key `secret:"true" doc:"The key that encryption_key takes the place of." reload:"restart"`

	// MaxSize is how many bytes the store may take, on disk or in memory, roughly. Past
	// it, writes that add something fail with [persistence.ErrFull]; deleting goes on.
	// The default, 0, is no limit.
	MaxSize settings.Size `doc:"How much the store may take. By default there is no limit." reload:"restart"`

	// MinFree is how many bytes must be free on the disk for a write to be taken; past
	// it, writes fail with [persistence.ErrFull]. Deleting goes on until half of it is
	// left. Badger writes through memory maps, where a full disk is no error but the
	// end of the process, so this has to cover all that Badger may write in the
	// background. The default is 24 times MemTableSize.
	MinFree settings.Size `doc:"How much must stay free on the disk. By default 24 times mem_table_size." reload:"restart"`

	// HistoryCount and HistoryAge say how much of the past [Store.Watch] can give:
	// transactions beyond that number or older than that are forgotten, and those
	// beyond HistorySize. The latest is always kept. A store that is full forgets them
	// first. The defaults are 100,000 and one hour.
	HistoryCount int           `default:"100000" doc:"How many transactions of the past watches can give, at most." validate:"min=0" reload:"restart"`
	HistoryAge   time.Duration `default:"1h" doc:"How old these may be." validate:"min=0s" reload:"restart"`

	// HistorySize is how many bytes the transactions of that past may have, roughly: what
	// they wrote and deleted. It counts since the store was opened. The default is 64 MiB.
	HistorySize settings.Size `default:"64MiB" doc:"How many bytes these may have." reload:"restart"`

	// MemTableSize is how many bytes of changes are gathered in memory before they
	// become a table on disk. There may be four of them at a time; tables and what it
	// takes to merge them grow with it, so that this sets how much memory the store
	// holds, whatever its size: with the default, less than 150 MiB. Pages of its files
	// come on top, which the system takes back when it needs the room. More makes
	// writing faster, and fewer files, which all stay open: use it for many GiB.
	//
	// A transaction can take an eighth of it, and change one key per 2 KiB of it. On
	// disk, values of 32 KiB or more count for an eighth of their length; in memory, a
	// transaction can take 2 MiB at most. The default is 2 MiB on disk and 16 MiB in
	// memory, the least is 1 MiB.
	MemTableSize settings.Size `doc:"How much is gathered in memory before it becomes a table, from 1MiB to 1GiB.\nBy default 2MiB on disk and 16MiB in memory." validate:"omitempty,min=1048576,max=1073741824" reload:"restart"`

	// CacheSize is how many bytes of blocks of an encrypted store are kept in memory
	// when they have been decrypted. The default is 32 MiB.
	CacheSize settings.Size `default:"32MiB" doc:"How much of an encrypted store is kept decrypted in memory." reload:"restart"`

	// SkipVerify leaves out reading all tables and value logs when the store is
	// opened. Opening a large store gets faster, and a damaged file may stay
	// unnoticed: Badger then answers as if its records were not there.
	SkipVerify bool `doc:"Open without reading all files: faster, and damage may stay unnoticed." reload:"restart"`
}

// WithDefaults returns c with the defaults in place of what is zero.
func (c Config) WithDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.HistoryCount == 0 {
		c.HistoryCount = 100_000
	}
	if c.HistoryAge == 0 {
		c.HistoryAge = time.Hour
	}
	if c.HistorySize == 0 {
		c.HistorySize = 64 << 20
	}
	if c.MemTableSize == 0 {
		c.MemTableSize = 2 << 20
		if c.Dir == "" {
			c.MemTableSize = 16 << 20
		}
	}
	if c.MinFree == 0 {
		c.MinFree = 24 * c.MemTableSize
	}
	if c.CacheSize == 0 {
		c.CacheSize = 32 << 20
	}
	return c
}

func (c Config) validate() error {
	keySize := func(k []byte) bool { return len(k) == 16 || len(k) == 24 || len(k) == 32 }
	switch {
	case len(c.EncryptionKey) > 0 && !keySize(c.EncryptionKey):
		return fmt.Errorf("badger: %w: EncryptionKey has %d bytes; give it 16, 24 or 32", persistence.ErrInvalid, len(c.EncryptionKey))
	case len(c.PreviousKey) > 0 && !keySize(c.PreviousKey):
		return fmt.Errorf("badger: %w: PreviousKey has %d bytes; keys have 16, 24 or 32", persistence.ErrInvalid, len(c.PreviousKey))
	case len(c.PreviousKey) > 0 && len(c.EncryptionKey) == 0:
		return fmt.Errorf("badger: %w: PreviousKey is set without EncryptionKey; a store cannot be decrypted in place: back it up and restore it", persistence.ErrInvalid)
	case len(c.EncryptionKey) > 0 && c.Dir == "":
		return fmt.Errorf("badger: %w: EncryptionKey is for a store on disk; set Dir too", persistence.ErrInvalid)
	case c.MemTableSize < 1<<20 || c.MemTableSize > 1<<30:
		return fmt.Errorf("badger: %w: MemTableSize is %v; choose 1 MiB to 1 GiB", persistence.ErrInvalid, c.MemTableSize)
	case c.HistoryCount < 1 || c.HistoryAge < 0 || c.HistorySize < 0 || c.MaxSize < 0 || c.MinFree < 0 || c.CacheSize < 0:
		return fmt.Errorf("badger: %w: a size, number or duration in Config is negative", persistence.ErrInvalid)
	}
	return nil
}

// Values of that size and above live in the value log, on disk.
const valueThreshold = 32 << 10

// largestInMemory is the largest value that Badger takes in memory, where it has no
// value log. Records that are larger are in pieces.
func (c Config) largestInMemory() int64 { return min(1<<20, int64(c.MemTableSize)*15/100) }

// limits follow from what Badger takes in one transaction, 15% of a memtable, and in
// one value. The log of a transaction is less than half as large.
func (c Config) limits() limits {
	l := limits{transaction: int(c.MemTableSize / 8), large: valueThreshold}
	if c.Dir == "" {
		l.large = math.MaxInt
		l.transaction = min(l.transaction, 2<<20)
		l.piece = int(c.largestInMemory() / 2)
	}
	return l
}

// limits of what is committed to Badger in one transaction; from which size on a value
// counts for only an eighth in it; and, if that has one, of the piece of a value that is
// in one of Badger's. Those that are fixed do not follow from a Config.
type limits struct {
	transaction, large, piece int
	fixed                     bool
}

// badgerOptions are chosen for a small footprint: bare Badger's defaults take more
// than half a gigabyte under load.
func (c Config) badgerOptions() badger.Options {
	o := badger.DefaultOptions(c.Dir)
	o.InMemory = c.Dir == ""
	o.Logger = badgerLogger{log: c.Logger}
	o.MetricsEnabled = false // they are variables of the process
	o.DetectConflicts = false
	o.BypassLockGuard = true // Open holds a lock before it looks at any file
	table := int64(c.MemTableSize)
	o.MemTableSize = table
	o.NumMemtables = 2
	o.BaseTableSize = max(table/4, 1<<20)
	o.TableSizeMultiplier = 1 // merging takes memory for ten tables or more at a time
	o.BaseLevelSize = 4 * table
	o.NumLevelZeroTables = 4
	o.NumLevelZeroTablesStall = 8
	o.NumCompactors = 2
	o.ValueThreshold = valueThreshold
	if o.InMemory {
		o.ValueThreshold = c.largestInMemory()
	}
	// The newest file cannot be collected, and a full one is synced while writers wait:
	// as large as it may be, see spareBytes.
	o.ValueLogFileSize = min(20*table, c.spare()*5/8, 1<<30)
	o.Compression = options.None // blocks are read in place, from the memory map
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0
	o.SyncWrites = false // the committer syncs, once for many transactions
	// Badger answers "not found" for what is in a block with a wrong checksum. Files
	// are verified by Open instead, and records have a checksum of their own.
	o.ChecksumVerificationMode = options.NoVerification
	if len(c.EncryptionKey) > 0 {
		o.EncryptionKey = c.EncryptionKey
		o.BlockCacheSize = int64(c.CacheSize)
		o.IndexCacheSize = int64(c.CacheSize) / 2
	}
	return o
}

// badgerLogger passes on what Badger logs: its errors and warnings as warnings, since
// an error reaches the caller too, and the rest for debugging. Some of it Badger tells in
// no other way.
type badgerLogger struct {
	log   *slog.Logger
	moved *atomic.Int64 // how many values a collection has moved
	flush *lastFlush
}

// lastFlush ends Badger's attempts to make a table of what is in memory when it is being
// closed: it goes on for ever, also if the folder of the store is gone.
type lastFlush struct {
	closing atomic.Bool
	err     atomic.Pointer[error] // why it has been given up
}

// What Badger says between two attempts, from the goroutine that makes them.
const flushFormat = "error flushing memtable to disk: %v, retrying"

func (f *lastFlush) failed(args []any) {
	if !f.closing.Load() {
		return
	}
	err := errors.New("unknown error")
	if len(args) == 1 {
		if cause, ok := args[0].(error); ok {
			err = cause
		}
	}
	f.err.Store(&err)
	runtime.Goexit()
}

// What Badger says when it has collected a file of its value log: how many entries that
// had, and how many it has moved.
const movedFormat = "Total entries: %d. Moved: %d"

// movedUnknown is for a collection of which Badger has said nothing.
const movedUnknown = -1

func (l badgerLogger) Errorf(format string, args ...any) {
	l.emit(slog.LevelWarn, format, args)
	if format == flushFormat && l.flush != nil {
		l.flush.failed(args)
	}
}

func (l badgerLogger) Warningf(format string, args ...any) { l.emit(slog.LevelWarn, format, args) }
func (l badgerLogger) Debugf(format string, args ...any)   { l.emit(slog.LevelDebug, format, args) }

func (l badgerLogger) Infof(format string, args ...any) {
	if format == movedFormat && len(args) == 2 && l.moved != nil {
		if n, ok := args[1].(int); ok {
			l.moved.Store(int64(n))
		}
	}
	l.emit(slog.LevelDebug, format, args)
}

func (l badgerLogger) emit(level slog.Level, format string, args []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
