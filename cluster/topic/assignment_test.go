package topic

import (
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

func hostsNamed(names ...string) *assignment {
	a := &assignment{owners: make([]owner, 64)}
	for i, n := range names {
		a.hosts = append(a.hosts, host{claim{n, n + "-session"}, persistence.Revision(i + 1)})
	}
	return a
}

func TestPartitionsAreSpreadAndOnlyAShareMoves(t *testing.T) {
	before, after := hostsNamed("ada", "ben", "cleo"), hostsNamed("ada", "ben", "cleo", "dora")
	share := map[string]int{}
	for i := range before.owners {
		was, is := before.preferred("orders", i).Node, after.preferred("orders", i).Node
		if was != is && is != "dora" {
			t.Errorf("partition %d moves from %s to %s when dora joins", i, was, is)
		}
		share[is]++
	}
	for _, n := range []string{"ada", "ben", "cleo", "dora"} {
		if share[n] < 5 {
			t.Errorf("the shares are %v", share)
		}
	}
	if h := hostsNamed().preferred("orders", 0); h.Node != "" {
		t.Errorf("of no hosts, %+v is preferred", h)
	}
	twice := hostsNamed("ada")
	twice.hosts = append(twice.hosts, host{claim{"ada", "later"}, 7})
	if h := twice.preferred("orders", 0); h.Session != "later" {
		t.Errorf("of two sessions of a node, %+v is preferred", h)
	}
}

func TestKeysAndIDsAreSpreadOverPartitions(t *testing.T) {
	counts := make([]int, 8)
	for i := range 8000 {
		p := partitionOf(keyOf(i), "", 8)
		if q := partitionOf(keyOf(i), fmt.Sprint(i), 8); p != q {
			t.Fatalf("the ID moves %s from %d to %d", keyOf(i), p, q)
		}
		counts[p]++
		counts[partitionOf("", keyOf(i), 8)]++
	}
	for _, n := range counts {
		if n < 1600 || n > 2400 {
			t.Fatalf("they are spread as %v", counts)
		}
	}
}

func FuzzAssignmentRecords(f *testing.F) {
	f.Add("topic/orders/host/ada-1", []byte(`{"Node":"ada","Session":"ada-1"}`), false)
	f.Add("topic/orders/owner/3", []byte(`{"Node":"ada","Session":"ada-1"}`), false)
	f.Add("topic/orders/owner/4", []byte(nil), true)
	f.Add("topic/orders/owner/-1", []byte(`{"Node":"","Session":""}`), false)
	f.Add("topic/", []byte(`[]`), true)
	f.Fuzz(func(t *testing.T, key string, value []byte, gone bool) {
		a := &assignment{owners: make([]owner, 4)}
		err := a.apply("orders", persistence.Change{Key: key, Value: value, Delete: gone}, 9)
		for _, o := range a.owners {
			if err != nil && o.known() || o.known() && (o.Session == "" || o.epoch != 9) {
				t.Errorf("%+v after %v", o, err)
			}
		}
		if err != nil && len(a.hosts) > 0 {
			t.Errorf("%+v after %v", a.hosts, err)
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"Partitions":4,"Limits":{"Age":0,"Bytes":1,"Count":0,"DropOldest":true}}`))
	f.Add([]byte(`{"Partitions":-1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeSettings(persistence.Record{Key: "settings/orders", Value: data})
		if err == nil && s.validate() != nil {
			t.Errorf("%+v", s)
		}
	})
}
