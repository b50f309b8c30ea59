package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/persistence"
)

var (
	// ErrTwoCores says that the nodes of one cluster have replicas of different cores.
	ErrTwoCores = actor.NewError(actor.FailedPrecondition, "two cores")
	// ErrOutcomeUnknown says that a transaction may have been applied or not, or may
	// be yet: read before you send it again.
	ErrOutcomeUnknown = actor.NewError(actor.Unknown, "outcome unknown")
	// ErrSessionEnded says that a session has expired or was closed.
	ErrSessionEnded = actor.NewError(actor.Aborted, "session has ended")
)

// The namespaces of a core: what users of the store keep, and what Troupe does.
const (
	userSpace   = "user"
	systemSpace = "system"
)

// Core is a node's part in the replicated store: it finds or founds the core of its
// cluster when it is first used, has a replica of it if it is asked to, and otherwise
// asks nodes that have one. As a [persistence.Store] it is what users keep there. All
// methods may be called concurrently.
//
// When no leader can be reached for [Timing.Patience], and no majority of the voters that
// could elect one, reads and writes fail with an
// error that is Unavailable, says why, and has NotRun: nothing has happened. A write that
// had been sent to a leader by then fails with [ErrOutcomeUnknown] instead. If its
// context ends first, its outcome is not known either.
type Core struct {
	config  Config
	log     *slog.Logger
	born    time.Time
	ctx     context.Context // of everything that runs
	stop    context.CancelFunc
	running sync.WaitGroup
	end     *once
	outcome error // of end
	inlet   *link.Inlet
	serving sync.Once // the inlet

	user, system persistence.Store
	members      membership
	presence     presence
	waits        Waits
	wants        wants
	search       search
	proposer     proposer

	// joining is held by whoever is about to take part in a core, or to stop that.
	joining   turn
	candidate string // the core that this node has invited others to; joining is held

	mu       sync.Mutex
	closed   bool
	leaving  bool // nothing new is begun
	id       identity
	replica  *replica
	closing  *replica           // is being closed
	opening  time.Time          // since when the replica is being opened; zero if it is not
	failed   error              // why this node goes on without the replica that it has on disk
	dismiss  context.CancelFunc // ends what runs for the replica
	patient  time.Time          // requests wait until then at least: the core is starting
	founding *founding
	sessions *sessionTable // while this node leads
}

// New returns the part of a node in the core of its cluster. It starts no goroutine and
// makes no file, unless config.Dir holds a replica of before: that is opened in the
// background.
func New(config Config) (*Core, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	id, err := readIdentity(config.Dir)
	if err != nil {
		return nil, err
	}
	if id.Core != "" && id.Node != config.Node {
		return nil, actor.Errorf(actor.FailedPrecondition, "consensus: %s is that of node %q; give node %q a folder of its own, or its name back", config.Dir, id.Node, config.Node)
	}
	c := &Core{config: config, log: config.Logger, born: time.Now(), joining: make(turn, 1), id: id}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.end = newOnce()
	c.inlet = link.NewInlet(config.Listener)
	all := store{c}
	c.user = persistence.Namespace(all, userSpace)
	c.system = persistence.Namespace(all, systemSpace)
	if id.Core != "" {
		c.patient = c.born.Add(config.Timing.startup())
		c.announce()
	}
	if id.Server != "" {
		previous := previousSession(config.Dir, config.Node)
		c.joining.try() // nobody else has it yet
		c.start(func(ctx context.Context) { c.reopen(ctx, previous) })
	}
	return c, nil
}

// reopen opens the replica that the folder holds, and ends the session of the process
// before. The caller holds joining.
func (c *Core) reopen(ctx context.Context, previous string) {
	c.openAgain(ctx)
	opened := c.local() != nil
	c.joining.done()
	if opened && previous != "" {
		c.endSession(ctx, previous)
	}
}

// openAgain opens the replica that the folder holds, and says so when that takes long. The
// caller holds joining.
func (c *Core) openAgain(ctx context.Context) {
	began := time.Now()
	c.mu.Lock()
	c.opening = began
	c.mu.Unlock()
	defer c.waits.Begin(c.log, slog.LevelWarn, "consensus: the replica of this node is still being opened",
		func() string { return "its files in " + c.config.Dir + " are read" })()
	err := c.open(ctx, c.identity(), nil)
	c.mu.Lock()
	c.opening, c.failed = time.Time{}, err
	c.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		c.log.Error("consensus: this node goes on without its replica, which cannot be opened", "dir", c.config.Dir, "error", err)
	}
}

// open starts the replica that id names, and announces it. The caller holds joining.
func (c *Core) open(ctx context.Context, id identity, founders []raftServer) error {
	before := c.identity()
	dir := c.config.Dir
	if dir != "" {
		dir = filepath.Join(dir, replicaFolder)
		if before.Server != id.Server {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	if err := c.become(id); err != nil {
		return err
	}
	r, err := openReplica(ctx, replicaConfig{
		Core: id.Core, Server: id.Server, Node: c.config.Node, Dir: dir,
		Logger: c.log, Timing: c.config.Timing, Voters: c.config.Voters,
		Bootstrap: founders,
		Dial:      c.config.Dial, Listener: c.inlet.Listen(), Peer: c.config.Peer,
		Members: func() []Member { return c.members.look(c).candidates(id.Core) },
		Invite:  c.invite,
	})
	if err == nil && !id.Founded && begun(r) {
		id.Founded = true
		if err = c.become(id); err != nil {
			err = errors.Join(err, r.Close())
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("consensus: opening the replica: %w", err), c.become(before))
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errors.Join(errClosed(), r.Close())
	}
	serving, dismiss := context.WithCancel(c.ctx)
	c.replica, c.dismiss = r, dismiss
	if id.Founded {
		c.patient = time.Now().Add(c.config.Timing.startup())
	}
	c.mu.Unlock()
	c.serving.Do(func() { c.start(func(context.Context) { c.inlet.Serve() }) })
	c.start(func(context.Context) { c.guard(serving, r) })
	c.start(func(context.Context) { c.reign(serving, r) })
	c.start(func(context.Context) { c.report(serving, r) })
	c.announce()
	return nil
}

// discard ends the replica for good: the node stays without one. If its core has never
// come to be, the node forgets it. The caller holds joining.
func (c *Core) discard(r *replica) error {
	err := c.withdraw(r)
	id := c.identity()
	id.Server = ""
	if !id.Founded {
		id = identity{}
	}
	err = errors.Join(err, c.become(id))
	c.announce()
	if c.config.Dir != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Join(c.config.Dir, replicaFolder)))
	}
	return err
}

// withdraw closes the replica: from now on the node has none. The caller holds joining.
func (c *Core) withdraw(r *replica) error {
	c.mu.Lock()
	c.replica, c.closing = nil, r
	c.dismiss()
	c.mu.Unlock()
	c.noteSession("") // this process goes on: another one could now open what is in the folder
	err := r.Close()
	c.mu.Lock()
	c.closing = nil
	c.mu.Unlock()
	return err
}

// become changes what the node remembers. The caller holds joining.
func (c *Core) become(id identity) error {
	if id == c.identity() {
		return nil
	}
	if err := id.write(c.config.Dir); err != nil {
		return fmt.Errorf("consensus: keeping which core this node is of: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id.Core == "" {
		c.patient = time.Now().Add(c.config.Timing.startup())
	}
	c.id = id
	return nil
}

func (c *Core) identity() identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// local returns the replica of this node, nil if it has none.
func (c *Core) local() *replica {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replica
}

// announce tells the other nodes what this one has. A core that may yet not come to be
// is not spoken of.
func (c *Core) announce() {
	c.mu.Lock()
	var a Announcement
	if c.id.Founded {
		a.Core, a.Server = c.id.Core, c.id.Server
	}
	c.mu.Unlock()
	c.config.Announce(a)
}

// System returns the part of the store that Troupe itself uses, for sessions and what
// they own. Closing it does nothing.
func (c *Core) System() persistence.Store { return c.system }

// Close ends the Core and waits for its goroutines. Whoever uses it gets
// [persistence.ErrClosed]. For the others it is as if the node had crashed. It is
// idempotent.
func (c *Core) Close() error {
	c.end.do(func() { c.outcome = c.close() })
	return c.outcome
}

func (c *Core) close() error {
	c.mu.Lock()
	c.closed = true
	r := c.replica
	c.mu.Unlock()
	c.wants.close()
	c.stop()
	var err error
	if r != nil {
		err = r.Close()
	}
	err = errors.Join(err, c.config.Listener.Close())
	c.running.Wait()
	return err
}

// start runs f in a goroutine that Close waits for; not if it is closed.
func (c *Core) start(f func(context.Context)) {
	if c.enter() {
		go func() {
			defer c.running.Done()
			f(c.ctx)
		}()
	}
}

// enter lets Close wait until the caller calls running.Done. It reports whether the
// Core is open.
func (c *Core) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Add(1)
	}
	return !c.closed
}

// within returns a context that also ends when the Core is closed.
func (c *Core) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// check returns why nothing can be done with ctx.
func (c *Core) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || c.closed {
		return errClosed()
	}
	return nil
}

func errClosed() error { return fmt.Errorf("consensus: %w", persistence.ErrClosed) }
