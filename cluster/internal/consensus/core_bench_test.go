package consensus

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/raftlog"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// BenchmarkCore compares writes of 64 callers with those to a bare raft, which has an
// in-memory machine and the same kind of log on the same disk, and reads with writes.
// The nodes talk over TCP.
func BenchmarkCore(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprint(nodes, " nodes"), func(b *testing.B) {
			l := newTCPCore(b, nodes)
			bare := newBareRaft(b, nodes)
			value := make([]byte, 128)
			var n atomic.Int64
			write := func() error {
				t := persistence.Transaction{Then: []persistence.Change{{Key: fmt.Sprint(n.Add(1) % 10000), Value: value}}}
				_, err := l.Commit(background, t)
				return err
			}
			floor := func() error { return bare.Apply(value, 0).Error() }
			read := func() error {
				_, err := l.Get(background, "1")
				return err
			}
			const most = 64
			var writes, floors, reads, loneWrites, loneFloors, loneReads time.Duration
			for b.Loop() {
				// In turns, so that what else the machine does meets all.
				floors += concurrently(b, most, 1000, floor)
				writes += concurrently(b, most, 1000, write)
				reads += concurrently(b, most, 20000, read)
				loneFloors += concurrently(b, 1, 50, floor)
				loneWrites += concurrently(b, 1, 50, write)
				loneReads += concurrently(b, 1, 1000, read)
			}
			per := func(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(b.N*n) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(per(writes, 1000), "ns/write")
			b.ReportMetric(per(floors, 1000), "ns/floor")
			b.ReportMetric(per(reads, 20000), "ns/read")
			b.ReportMetric(per(floors, 1000)/per(writes, 1000), "write/floor")
			b.ReportMetric(per(loneFloors, 50)/per(loneWrites, 50), "lone-write/floor")
			b.ReportMetric(per(writes, 1000)/per(reads, 20000), "reads-per-write")
			b.ReportMetric(per(loneWrites, 50)/per(loneReads, 1000), "lone-reads-per-write")
		})
	}
}

// newTCPCore returns the leader of a core of so many nodes, which vote.
func newTCPCore(b *testing.B, nodes int) *node {
	w := newWorld(b, 1)
	addresses := map[string]string{}
	var dialled sync.Map // the name of the node that has dialled from an address
	var all []*node
	for _, name := range []string{"a", "b", "c"}[:nodes] {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addresses[name] = l.Addr().String()
		all = append(all, w.join(name, func(c *Config) {
			c.Dir, c.Expect, c.Settle, c.Listener = b.TempDir(), nodes, time.Millisecond, l
			c.Dial = func(ctx context.Context, to string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", addresses[to])
				if err == nil {
					dialled.Store(conn.LocalAddr().String(), name)
				}
				return conn, err
			}
			c.Peer = func(conn net.Conn) (string, error) {
				from, _ := dialled.Load(conn.RemoteAddr().String())
				return from.(string), nil
			}
		}))
	}
	all[0].put("1", "v")
	return w.leader()
}

func concurrently(b *testing.B, callers, count int, f func() error) time.Duration {
	var left atomic.Int64
	left.Store(int64(count))
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// bareMachine forgets what it applies.
type bareMachine struct{}

func (bareMachine) Apply(*raft.Log) any                 { return nil }
func (bareMachine) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (bareMachine) Restore(io.ReadCloser) error         { return nil }

// tcpStream is the plainest stream layer.
type tcpStream struct{ net.Listener }

func (tcpStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(address), timeout)
}

// newBareRaft returns the leader of so many servers.
func newBareRaft(b *testing.B, nodes int) *raft.Raft {
	logger := newRaftLogger(context.Background(), newGroup(b).log)
	var configuration raft.Configuration
	streams := make([]tcpStream, nodes)
	for i := range streams {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		streams[i] = tcpStream{l}
		id := l.Addr().String()
		configuration.Servers = append(configuration.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	dir := b.TempDir()
	all := make([]*raft.Raft, nodes)
	for i, s := range streams {
		log, err := raftlog.Open(background, badger.Config{Dir: filepath.Join(dir, fmt.Sprint(i))}, func(err error) { b.Error(err) })
		if err != nil {
			b.Fatal(err)
		}
		cache, err := raft.NewLogCache(logCache, log)
		if err != nil {
			b.Fatal(err)
		}
		config := raft.DefaultConfig()
		config.LocalID, config.Logger = configuration.Servers[i].ID, logger
		transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: s, MaxPool: maxIdleConns, Timeout: 5 * time.Second, Logger: logger})
		snapshots := raft.NewInmemSnapshotStore()
		if err := raft.BootstrapCluster(config, cache, log, snapshots, transport, configuration); err != nil {
			b.Fatal(err)
		}
		if all[i], err = raft.NewRaft(config, bareMachine{}, cache, log, snapshots, transport); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := all[i].Shutdown().Error(); err != nil {
				b.Error(err)
			}
			transport.CloseStreams()
			if err := log.Close(); err != nil {
				b.Error(err)
			}
		})
	}
	for {
		for _, r := range all {
			if r.State() == raft.Leader {
				return r
			}
		}
		tick()
	}
}
