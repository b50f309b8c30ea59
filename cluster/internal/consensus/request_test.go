package consensus

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// FuzzHandle gives hostile bytes to a node with a replica and to one without. They must
// go on as before.
func FuzzHandle(f *testing.F) {
	core := "0123456789abcdef"
	change := &pb.Transaction{Then: []*pb.Change{{Key: []byte("k"), Ttl: -1}, nil}, If: []*pb.Condition{nil}}
	for _, q := range []*pb.Request{
		{},
		{Kind: &pb.Request_Who{}},
		{Kind: &pb.Request_Found{Found: &pb.Found{}}},
		{Kind: &pb.Request_Invite{Invite: &pb.Invite{}}},
		{Core: "other", Kind: &pb.Request_Invite{Invite: &pb.Invite{}}},
		{Core: core, Kind: &pb.Request_Who{Who: &pb.Who{}}},
		{Core: core, Kind: &pb.Request_Commit{}},
		{Core: core, Kind: &pb.Request_Commit{Commit: &pb.Commit{From: "x", Sequence: 1, Transactions: []*pb.Transaction{change, {}}}}},
		{Core: core, Kind: &pb.Request_Commit{Commit: &pb.Commit{Again: true}}},
		{Core: core, Kind: &pb.Request_Read{Read: &pb.Read{Kind: &pb.Read_Get{Get: []byte("k")}}}},
		{Core: core, Kind: &pb.Request_Read{Read: &pb.Read{Stale: true, Kind: &pb.Read_List{List: &pb.Query{Limit: -1, Offset: 1 << 62}}}}},
		{Core: core, Kind: &pb.Request_Read{Read: &pb.Read{Kind: &pb.Read_Latest{}}}},
		{Core: core, Kind: &pb.Request_Poll{Poll: &pb.Poll{After: 1 << 63}}},
		{Core: core, Kind: &pb.Request_Poll{}},
		{Core: core, Kind: &pb.Request_Renew{Renew: &pb.Renew{Session: "evil-0123456789abcdef"}}},
		{Core: core, Kind: &pb.Request_EndSession{EndSession: &pb.EndSession{Session: "/"}}},
	} {
		data, err := proto.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, request []byte) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			only := func(c *Config) { c.Voters = 1 }
			a, b := w.join("a", only), w.join("b", only)
			a.candidate = core
			a.put("k", "v")
			sessions := a.open("owned")
			for _, n := range []*node{a, b} {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				reply, err := n.Handle(ctx, "evil", request)
				cancel()
				if err != nil && actor.CodeOf(err) != actor.InvalidArgument {
					t.Errorf("Handle at %s: %v", n.name, err)
				}
				if err == nil && proto.Unmarshal(reply, new(pb.Response)) != nil {
					t.Errorf("Handle at %s answers %q", n.name, reply)
				}
			}
			a.put("k2", "v")
			a.want("k2", "v")
			if err := sessions.Err(); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestRequestForAnotherCoreIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		a.put("k", "v")
		_, err := a.request(t.Context(), "a", &pb.Request{Core: "other", Kind: &pb.Request_Read{Read: &pb.Read{Kind: &pb.Read_Get{Get: []byte("k")}}}})
		if actor.CodeOf(err) != actor.FailedPrecondition {
			t.Error(err)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	w := newWorld(t, 1)
	for name, spoil := range map[string]func(*Config){
		"Node":     func(c *Config) { c.Node = "" },
		"Voters":   func(c *Config) { c.Voters = 2 },
		"Expect":   func(c *Config) { c.Expect = 4 },
		"Timing":   func(c *Config) { c.Timing.Patience = 0 },
		"Settle":   func(c *Config) { c.Settle = -1 },
		"Call":     func(c *Config) { c.Call = nil },
		"Listener": func(c *Config) { c.Listener = nil },
	} {
		n := &node{world: w, name: "a"}
		config := Config{
			Node: "a", Timing: LAN(), Listener: newMemListener("a"),
			Members: func() []Member { return w.members(n) }, MembersChanged: w.change,
			Announce: func(Announcement) {}, Call: func(context.Context, string, []byte) ([]byte, error) { return nil, nil },
			Dial: func(context.Context, string) (net.Conn, error) { return nil, nil },
			Peer: peerOf,
		}
		spoil(&config)
		if _, err := New(config); actor.CodeOf(err) != actor.InvalidArgument {
			t.Errorf("New without a good %s: %v", name, err)
		}
	}
}

var _ persistence.Store = (*Core)(nil)
