package consensus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/cluster/internal/consensus/raftlog"
	"github.com/troupe-go/troupe/cluster/internal/consensus/snapshot"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// The folders of a replica.
const (
	logFolder   = "log"
	storeFolder = "store"
)

// logCache is how many of the latest entries of the log are kept in memory.
const logCache = 256

// replica is one member of one core. All its methods may be called concurrently.
type replica struct {
	config    replicaConfig
	logger    hclog.Logger
	store     *badger.Replica
	log       *raftlog.Log
	machine   *machine
	streams   *link.Layer
	transport *transport
	raft      *raft.Raft
	answers   *answers
	reads     reads
	reign     reign
	departed  departed
	healthy   healthyServers

	ctx  context.Context // ends when the replica is closed or has failed
	stop context.CancelFunc

	mu     sync.Mutex
	closed bool
	err    error
	using  sync.WaitGroup // whoever waits for raft

	failed   chan struct{} // closed with err
	started  chan struct{} // closed when raft runs
	stopping chan struct{} // closed when raft was told to stop
	halted   chan struct{} // closed when it has stopped
	halting  *once
	serving  sync.WaitGroup // goroutines that end with the replica
	end      *once
	ended    error
}

// openReplica starts the replica that config describes. It closes config.Listener if it
// fails, too.
func openReplica(ctx context.Context, config replicaConfig) (_ *replica, err error) {
	r := &replica{
		config: config, answers: newAnswers(),
		reads:   reads{wake: make(chan struct{}, 1)},
		reign:   reign{changed: make(chan struct{})},
		halting: newOnce(), end: newOnce(),
		failed: make(chan struct{}), started: make(chan struct{}),
		stopping: make(chan struct{}), halted: make(chan struct{}),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.logger = newRaftLogger(r.ctx, config.Logger)
	defer func() {
		if err != nil {
			r.stop()
			err = errors.Join(err, r.closeStores(), closeListener(config.Listener))
		}
	}()
	if err := r.openStores(ctx); err != nil {
		return nil, err
	}
	return r, r.startRaft()
}

func closeListener(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (r *replica) openStores(ctx context.Context) (err error) {
	logConfig, storeConfig := badger.Config{Logger: r.config.Logger}, badger.Config{Logger: r.config.Logger}
	if r.config.Dir != "" {
		logConfig.Dir, storeConfig.Dir = filepath.Join(r.config.Dir, logFolder), filepath.Join(r.config.Dir, storeFolder)
	}
	if r.log, err = raftlog.Open(ctx, logConfig, r.failLog); err != nil {
		return fmt.Errorf("consensus: opening the log: %w", err)
	}
	if r.store, err = badger.OpenReplica(ctx, storeConfig); err != nil {
		return fmt.Errorf("consensus: opening the store: %w", err)
	}
	snapshots, err := snapshot.Open(r.ctx, r.config.Dir, r.log, r.store)
	if err != nil {
		return err
	}
	r.machine = &machine{ctx: r.ctx, store: r.store, snapshots: snapshots, failed: r.fail}
	if p := snapshots.Latest(); p != nil {
		if r.store.Applied() == 0 {
			return fmt.Errorf("consensus: %w: the store in %s is gone, and the log is not; remove the folder if other nodes have the data", persistence.ErrCorrupt, r.config.Dir)
		}
		r.machine.through = p.Index
		return r.log.Forget(p.Index)
	}
	if r.store.Applied() > 0 && r.log.Empty() {
		return fmt.Errorf("consensus: %w: the log in %s is gone, and the store is not; remove the folder if other nodes have the data", persistence.ErrCorrupt, r.config.Dir)
	}
	return nil
}

// startRaft takes over what is open: it is closed if there is an error.
func (r *replica) startRaft() (err error) {
	timing := r.config.Timing
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(r.config.Server)
	config.HeartbeatTimeout, config.ElectionTimeout, config.LeaderLeaseTimeout = timing.Heartbeat, timing.Election, timing.LeaderLease
	config.Logger = r.logger
	config.CommitTimeout = timing.LeaderLease / 16 // followers learn of what is committed
	config.NoSnapshotRestoreOnStart = true
	config.NoLegacyTelemetry = true
	leads := make(chan bool)
	config.NotifyCh = leads
	if r.config.snapshotThreshold > 0 {
		config.SnapshotThreshold, config.TrailingLogs, config.SnapshotInterval = r.config.snapshotThreshold, r.config.snapshotThreshold, timing.Heartbeat
	}

	cache, err := raft.NewLogCache(logCache, r.log)
	if err != nil {
		return err
	}
	r.streams = link.New(r.link())
	r.transport = newTransport(r.streams, r, config)
	if err := r.newRaft(config, cache); err != nil {
		_ = r.streams.Close()
		r.transport.stop()
		r.streams.Wait()
		return fmt.Errorf("consensus: starting raft: %w", err)
	}
	observed := make(chan raft.Observation, 1)
	r.raft.RegisterObserver(raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	r.serving.Go(func() { r.watchLeader(leads, observed) })
	r.serving.Go(r.serveReads)
	r.serving.Go(r.trimLog)
	r.serving.Go(func() {
		select {
		case <-r.failed:
			r.halt()
		case <-r.ctx.Done():
		}
	})
	close(r.started)
	return nil
}

func (r *replica) newRaft(config *raft.Config, log raft.LogStore) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", persistence.ErrCorrupt, p)
		}
	}()
	known, err := raft.HasExistingState(log, r.log, r.machine.snapshots)
	if err != nil {
		return err
	}
	if !known && len(r.config.Bootstrap) > 0 {
		var founders raft.Configuration
		for _, s := range r.config.Bootstrap {
			founders.Servers = append(founders.Servers, raft.Server{ID: raft.ServerID(s.Server), Address: raft.ServerAddress(s.Server)})
		}
		if err := raft.BootstrapCluster(config, log, r.log, r.machine.snapshots, r.transport, founders); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	r.raft, err = raft.NewRaft(config, r.machine, log, r.log, r.machine.snapshots, r.transport)
	return err
}

// Store is what has been applied here. It may be behind the leader's.
func (r *replica) Store() *badger.Replica { return r.store }

// enter lets halt wait until the caller calls using.Done. It reports whether the
// replica goes on.
func (r *replica) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.err != nil {
		return false
	}
	r.using.Add(1)
	return true
}

// gone says why the replica does not go on.
func (r *replica) gone() error {
	if err := r.Err(); err != nil {
		return err
	}
	return errClosed()
}

// fail says that the replica must not go on. Raft is stopped by and by.
func (r *replica) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || r.closed {
		return
	}
	r.err = err
	close(r.failed)
	r.stop()
	r.config.Logger.Error("consensus: the replica has failed", "core", r.config.Core, "server", r.config.Server, "error", err)
}

// failLog is fail for the log: raft must not go on when it returns.
func (r *replica) failLog(err error) {
	r.fail(err)
	select {
	case <-r.started:
		<-r.stopping
	default: // raft does not run yet: it will not
	}
}

// Failed is closed when the replica cannot go on, because of its disk for example; Err
// then says why. It has to be closed by Close as any other.
func (r *replica) Failed() <-chan struct{} { return r.failed }

// Err returns why the replica has failed, nil if it has not.
func (r *replica) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// halt stops raft, and waits. The connections go first, so that nobody hears of what a
// log that has failed says. Before that, those who wait for raft get their answers, unless
// it is stuck: a leader without a majority gives them at the end of its lease.
func (r *replica) halt() {
	r.halting.do(func() {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			r.using.Wait()
		}()
		if !errors.Is(r.Err(), errStalled) {
			r.patiently(answered)
		}
		_ = r.streams.Close()
		// While the disk hangs, raft answers nothing; once it has stopped, it never does.
		for !r.patiently(answered) {
			if _, took := r.stuck(); took == 0 {
				break
			}
		}
		stopped := r.raft.Shutdown()
		close(r.stopping)
		_ = stopped.Error()
		close(r.halted)
		r.transport.stop()
		r.streams.Wait()
		if !r.patiently(answered) {
			r.config.Logger.Error("consensus: raft has stopped without an answer to a proposal")
		}
	})
}

// patiently waits for longer than a leader without a majority takes to notice.
func (r *replica) patiently(done <-chan struct{}) bool {
	patience := time.NewTimer(r.config.Timing.LeaderLease + 2*r.config.Timing.Election)
	defer patience.Stop()
	select {
	case <-done:
		return true
	case <-patience.C:
		return false
	}
}

// Close ends the replica and waits for its goroutines. It is idempotent. Proposals on
// their way are waited for, though not for long.
func (r *replica) Close() error {
	r.end.do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.stop()
		r.halt()
		r.serving.Wait()
		r.ended = r.closeStores()
	})
	return r.ended
}

func (r *replica) closeStores() (err error) {
	if r.store != nil {
		err = r.store.Close()
	}
	if r.log != nil {
		err = errors.Join(err, r.log.Close())
	}
	return err
}
