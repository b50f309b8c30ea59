package consensus

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
)

func TestSnapshotThatStallsHoldsUpNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b").found(2)
		g.fill(0, 3)
		l := g.leader()
		follower := g.replicas[g.others(l)[0]]

		// The leader of before, say, is in the middle of sending a snapshot.
		c := l.link()
		c.Server, c.Listener = "x/1", g.net.listen("x")
		c.Dial = func(ctx context.Context, to string) (net.Conn, error) { return g.net.dial(ctx, "x", to) }
		s := link.New(c)
		logger := newRaftLogger(t.Context(), g.log)
		sender := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: s, Timeout: time.Minute, Logger: logger})
		data, rest := io.Pipe()
		sent := make(chan error)
		go func() {
			to := raft.ServerID(follower.config.Server)
			q := &raft.InstallSnapshotRequest{
				RPCHeader:       raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("x/1"), Addr: []byte("x/1")},
				SnapshotVersion: raft.SnapshotVersionMax, Term: l.raft.CurrentTerm(), LastLogIndex: 1000, LastLogTerm: 1, Size: 1000,
				Configuration: raft.EncodeConfiguration(raft.Configuration{}),
			}
			sent <- sender.InstallSnapshot(to, raft.ServerAddress(to), q, new(raft.InstallSnapshotResponse), data)
		}()
		if _, err := rest.Write(make([]byte, 500)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		g.fill(3, 10)
		g.equal(g.all()...)
		if d := time.Since(start); d > time.Second {
			t.Errorf("ten writes took %v", d)
		}
		g.stop(follower.config.Node) // does not wait for the rest either
		_ = rest.CloseWithError(io.ErrUnexpectedEOF)
		if err := <-sent; err == nil {
			t.Error("half a snapshot was taken")
		}
		_ = sender.Close()
		s.Wait()
	})
}

func TestEntriesThatRaftWouldPanicOnAreRefused(t *testing.T) {
	good := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a/1", Address: "a/1"}}})
	for name, c := range map[string]struct {
		entries []*raft.Log
		ok      bool
	}{
		"a command":                         {[]*raft.Log{{Index: 8, Term: 3}}, true},
		"a configuration":                   {[]*raft.Log{{Index: 8, Term: 3, Type: raft.LogConfiguration, Data: good}}, true},
		"no configuration":                  {[]*raft.Log{{Index: 8, Term: 3, Type: raft.LogConfiguration, Data: []byte{0xc1}}}, false},
		"an unknown type":                   {[]*raft.Log{{Index: 8, Term: 3, Type: 99}}, false},
		"a gap":                             {[]*raft.Log{{Index: 9, Term: 3}}, false},
		"a term after that of the request":  {[]*raft.Log{{Index: 8, Term: 4}}, false},
		"nothing where there should be one": {[]*raft.Log{nil}, false},
	} {
		err := checkRequest(&raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 7, Entries: c.entries})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if checkRequest(&raft.InstallSnapshotRequest{Configuration: []byte{0xc1}}) == nil || checkRequest(&raft.InstallSnapshotRequest{Size: -1, Configuration: good}) == nil {
		t.Error("a bad snapshot is let through")
	}
}
