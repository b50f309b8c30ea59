package virtual

import (
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

func FuzzKeysSurviveTheirNames(f *testing.F) {
	f.Add("room", "a key/with ~ all:of#it\x00\xff")
	f.Add("janitor", "")
	f.Fuzz(func(t *testing.T, kind, key string) {
		if !isLabel(kind) {
			return
		}
		name := actorName(kind, key)
		if k, got, err := parseName(name); err != nil || k != kind || got != key {
			t.Errorf("%q is %q, %q, %v", name, k, got, err)
		}
		if k, got, err := parsePath(refPath(name)); err != nil || k != kind || got != key {
			t.Errorf("%q is %q, %q, %v", refPath(name), k, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("virtual:room:~")
	f.Add("virtual:room:~zz")
	f.Add("virtual:///room/a~2fb")
	f.Fuzz(func(t *testing.T, text string) {
		if kind, key, err := parseName(text); err == nil && actorName(kind, key) != text {
			t.Errorf("%q is also %q", text, actorName(kind, key))
		}
		_, _, _ = parsePath(text)
	})
}

func FuzzRecord(f *testing.F) {
	f.Add("agreed", []byte(`{"Shards":128,"Role":"worker"}`), false)
	f.Add("agreed", []byte(`{"Shards":1000000000}`), false)
	f.Add("host/s", []byte(`{"Node":"n","Session":"s","Started":1}`), false)
	f.Add("shard/3", []byte(`{"Node":"n","Session":"s"}`), false)
	f.Add("shard/-1", []byte(`{}`), true)
	f.Fuzz(func(t *testing.T, key string, value []byte, deletes bool) {
		tables := []*table{{}, {shards: make([]owner, 8)}}
		for _, tb := range tables {
			_ = tb.apply("room", persistence.Change{Key: kindPrefix("room") + key, Value: value, Delete: deletes}, 1)
			for i := range tb.shards {
				if tb.shards[i].known() && tb.shards[i].Session == "" {
					t.Error("an owner without a session")
				}
				preferred("room", i, tb.hosts)
			}
		}
	})
}

func TestShardsAreSpreadEvenly(t *testing.T) {
	var tb table
	for _, n := range []string{"node-0", "node-1", "node-2", "node-3"} {
		tb.addHost(host{place: place{Node: n, Session: n}})
	}
	count := make([]int, 4)
	for i := range 4096 {
		count[preferred("room", i, tb.hosts)]++
	}
	for i, n := range count {
		if n < 900 || n > 1150 {
			t.Errorf("host %d has %d of 4096 shards", i, n)
		}
	}
}
