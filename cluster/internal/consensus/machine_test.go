package consensus

import (
	"bytes"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

func TestEntryThatDoesNotDecodeDoesNothing(t *testing.T) {
	store, err := badger.OpenReplica(t.Context(), badger.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	m := &machine{store: store, failed: func(err error) { t.Error(err) }}
	good, err := encodeEntry(&badger.Entry{At: time.Now(), Transactions: []persistence.Transaction{put("x", "1")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	responses := m.ApplyBatch([]*raft.Log{
		{Index: 1, Type: raft.LogConfiguration, Data: []byte("raft's")},
		{Index: 2, Data: []byte("\xff\xff")},
		{Index: 3, Term: 4, Data: good},
	})
	if r := responses[1].(*applied); r.err == nil {
		t.Error("nonsense was applied")
	}
	if r := responses[2].(*applied); r.err != nil || r.term != 4 || len(r.outcomes) != 1 {
		t.Errorf("%+v", r)
	}
	if n, _ := m.progress(0); n != 3 || store.Applied() != 3 {
		t.Errorf("applied are %d and %d", n, store.Applied())
	}
}

func FuzzEntry(f *testing.F) {
	for _, e := range []badger.Entry{
		{At: time.Unix(1, 2), From: "lane", Sequence: 3, Expire: true},
		{At: time.Unix(1, 2), Transactions: []persistence.Transaction{{
			If:   []persistence.Condition{{Key: "a", Revision: 7}},
			Then: []persistence.Change{{Key: "b", Value: []byte("c"), Metadata: map[string]string{"d": "e"}, TTL: time.Second}, {Key: "f", Delete: true}},
		}}},
	} {
		data, _ := encodeEntry(&e, nil)
		f.Add(data)
	}
	data, _ := encodeEntry(&badger.Entry{At: time.Unix(1, 2)}, &pb.Restoration{Session: "a-1", Parts: 2, Ttl: 3})
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again badger.Entry
		restoration, err := decodeEntry(data, &e)
		if err != nil {
			return
		}
		first, err := encodeEntry(&e, restoration)
		if err == nil {
			restoration, err = decodeEntry(first, &again)
		}
		if err != nil {
			t.Fatal(err)
		}
		if second, err := encodeEntry(&again, restoration); err != nil || len(second) != len(first) {
			t.Errorf("%x becomes %x, %v", first, second, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	configuration := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a/1", Address: "a/1"}}})
	f.Add(configuration, uint8(raft.LogConfiguration), uint64(1), uint64(1))
	f.Add([]byte{0xc1}, uint8(raft.LogConfiguration), uint64(1), uint64(1))
	f.Add([]byte{}, uint8(raft.LogAddPeerDeprecated), uint64(1), uint64(5))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8, index, term uint64) {
		e := &raft.Log{Index: index, Term: term, Type: raft.LogType(kind), Data: bytes.Clone(data)}
		_ = checkRequest(&raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{e, nil}})
		if checkRequest(&raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{e}}) == nil && e.Type == raft.LogConfiguration {
			raft.DecodeConfiguration(e.Data)
		}
		if checkRequest(&raft.InstallSnapshotRequest{Configuration: data}) == nil {
			raft.DecodeConfiguration(data)
		}
	})
}
