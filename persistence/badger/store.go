package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
)

// Store is a [persistence.Store] on one node, on Badger
// (https://github.com/dgraph-io/badger), on disk or in memory. All its methods may be
// called concurrently.
//
// A transaction without Unsynced is on disk when Commit returns; one with it is there
// about a second later. What has been read survives a crash of the process; what was
// read of an unsynced transaction may not survive one of the machine.
//
// An error that is [persistence.ErrFailed] or [persistence.ErrFull] from the file
// system ends all writing until the store is opened again.
type Store struct {
	config Config
	log    *slog.Logger
	db     *badger.DB
	disk   *disk // nil in memory
	limits limits
	space  *space

	ops     sync.RWMutex // held shared by whoever uses db
	ending  atomic.Bool  // Close was called
	closed  bool
	closing chan struct{}      // closed after that
	stop    context.CancelFunc // of what runs in the background
	running sync.WaitGroup

	closeOnce sync.Once
	ended     chan struct{} // closed when closing has ended
	closeErr  error         // set before that
	waitsFor  atomic.Value  // a string: what closing waits for
	lastFlush lastFlush

	commits   commits
	failure   failure
	visible   atomic.Uint64 // the revision that is read
	discarded atomic.Uint64 // older revisions may have lost values
	history   history
	alarm     alarm
	compact   chan struct{} // has room for one: who compacts
	pace      *pace         // nil in memory
	collects  sync.Mutex    // Badger refuses a second collection of value logs at a time
	moved     atomic.Int64  // how many values the last one has moved, see badgerLogger
	memtable  sync.Mutex    // Badger reads the newest memtable without a lock when it collects
	locate    func() error
	stats     statistics
	latest    atomic.Int64 // of a replica: the time of the last entry, in ns since 1970
	pins      sync.RWMutex // held shared by who reads old revisions: none are forgotten
}

// Open opens the store that config describes, or makes one. It reads the files of the
// store first, and returns an error that is [persistence.ErrCorrupt] and names the file
// if one does not hold what was written; then it has changed nothing. It returns
// [ErrLocked] if the store is open elsewhere, and [persistence.ErrInvalid] if config
// makes no sense or the key does not fit, and [persistence.ErrVersion] if a program of
// another major version has made the store; then, too, nothing is changed. A store that has crashed opens as any other.
// The caller closes the store; ctx is for opening only.
func Open(ctx context.Context, config Config) (*Store, error) {
	return openAs(ctx, config, false)
}

// openAs leaves it to a replica when its records expire.
func openAs(ctx context.Context, config Config, replica bool) (*Store, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{
		config:  config,
		log:     config.Logger,
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
		limits:  config.limits(),
		compact: make(chan struct{}, 1),
		pace:    newPace(config),
	}
	s.locate = sync.OnceValue(s.locateDamage)
	s.alarm.init()
	progress := startOpening(s.log, s.where())
	defer progress.end()
	if config.Dir != "" {
		var err error
		if s.disk, err = openDisk(ctx, config, progress); err != nil {
			return nil, err
		}
	}
	progress.now("replaying what was in memory")
	if err := s.openBadger(replica); err != nil {
		if s.disk != nil {
			err = errors.Join(err, s.disk.close())
		}
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	if !replica {
		s.running.Go(func() { s.sweep(background) })
	}
	s.running.Go(func() { s.maintain(background) })
	return s, nil
}

// openDisk locks the directory and makes sure that Badger can open what is there.
func openDisk(ctx context.Context, config Config, progress *opening) (_ *disk, err error) {
	d, err := lockDir(config.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	encrypted := len(config.EncryptionKey) > 0
	d.mark, err = openMark(config.Dir, encrypted)
	if errors.Is(err, fs.ErrNotExist) {
		for _, name := range []string{badger.ManifestFilename, badger.KeyRegistryFileName} {
			if _, err := os.Stat(filepath.Join(config.Dir, name)); err == nil {
				return d, fmt.Errorf("badger: %w: %s is missing, beside a database of Badger; choose another directory, or restore the store from a backup", persistence.ErrCorrupt, filepath.Join(config.Dir, markName))
			}
		}
		d.mark, err = createMark(config.Dir, encrypted)
	}
	if err != nil {
		return d, err
	}
	if err := rotateKey(config); err != nil {
		return d, err
	}
	v := verifier(config, d.mark)
	v.Skip, v.Progress = config.SkipVerify, progress.now
	err = v.Run(ctx)
	d.torn = v.Torn
	return d, err
}

// mostTables is how many tables a store has at most, roughly, when it is opened: each is a
// file that stays open, and mapped into memory.
const mostTables = 8192

func (s *Store) openBadger(replica bool) error {
	options := s.config.badgerOptions()
	options.Logger = badgerLogger{log: s.log, moved: &s.moved, flush: &s.lastFlush}
	if s.disk != nil {
		size, err := sizeOf(s.config.Dir)
		if err != nil {
			return fmt.Errorf("badger: measuring %s: %w", s.where(), err)
		}
		options.BaseTableSize = max(options.BaseTableSize, size/mostTables)
	}
	db, err := badger.OpenManaged(options)
	if err != nil {
		if outOfSpace(err) {
			err = fmt.Errorf("%w: %w", persistence.ErrFull, err)
		}
		return fmt.Errorf("badger: opening %s: %w", s.where(), err)
	}
	s.db = db
	s.space = newSpace(s.config, db, replica)
	err = s.attempt(s.load)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// load finds out where the history begins and ends.
func (s *Store) load() error {
	txn := s.db.NewTransactionAt(^uint64(0), false)
	defer txn.Discard()
	if restoring, err := find(txn, restoringKey()); err != nil {
		return err
	} else if restoring != nil {
		return fmt.Errorf("badger: %w: %s was left in the middle of a restore; remove it and restore again", persistence.ErrCorrupt, s.where())
	}
	var floor, last persistence.Revision
	for _, backwards := range []bool{false, true} {
		o := badger.IteratorOptions{Prefix: []byte{spaceLog}, Reverse: backwards}
		start := []byte{spaceLog}
		if backwards {
			start = logSeek(^persistence.Revision(0))
		}
		it := txn.NewIterator(o)
		if it.Seek(start); it.Valid() {
			_, base, err := s.decodeLogItem(it.Item())
			if err != nil {
				it.Close()
				return err
			}
			var first persistence.Revision
			first, last, _ = parseLogKey(it.Item().Key())
			if !backwards {
				floor = first - 1
				if base {
					floor = first
				}
			}
		}
		it.Close()
	}
	s.visible.Store(uint64(last))
	s.history.reset(floor, last)
	s.discarded.Store(uint64(floor))
	s.db.SetDiscardTs(uint64(floor))
	return nil
}

// enter lets the caller use the database until it calls leave.
func (s *Store) enter() error {
	s.ops.RLock()
	if s.closed {
		s.ops.RUnlock()
		return fmt.Errorf("badger: %w", persistence.ErrClosed)
	}
	return nil
}

func (s *Store) leave() { s.ops.RUnlock() }

// interrupted is for those who use the database for long.
func (s *Store) interrupted(ctx context.Context) error {
	if s.ending.Load() {
		return fmt.Errorf("badger: %w", persistence.ErrClosed)
	}
	return ctx.Err()
}

func (s *Store) where() string {
	if s.config.Dir == "" {
		return "the store in memory"
	}
	return s.config.Dir
}

// corrupt wraps what has been found out about damaged data with the name of the file.
func (s *Store) corrupt(cause error) error {
	if err := s.locate(); err != nil {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	path := s.where()
	if s.disk != nil && s.disk.torn != "" {
		path = s.disk.torn // if nothing else is wrong, that entry was one that counts
	}
	return badgerfile.Damaged(path, "%w", cause)
}

// locateDamage looks for the file, the first time that it matters.
func (s *Store) locateDamage() error {
	if s.disk == nil {
		return nil
	}
	v := verifier(s.config, s.disk.mark)
	v.Live = true
	return v.Locate(context.Background())
}

// verifier returns one of the store in config.Dir, which must have what m says.
func verifier(config Config, m *mark) *badgerfile.Verifier {
	return &badgerfile.Verifier{Dir: config.Dir, Options: config.badgerOptions(), Durable: m.durable(), Log: revisionsOf}
}
