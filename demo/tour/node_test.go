package main

import (
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestLedgerSeesWhatIsOutOfOrder(t *testing.T) {
	for _, c := range []struct {
		row  []int
		want Audited
	}{
		{[]int{0, 1, 2, 3}, Audited{Entries: 4}},
		{[]int{0, 1, 3}, Audited{Entries: 3, Surprises: 1}},
		{[]int{0, 1, 1, 2}, Audited{Entries: 4, Surprises: 1}},
		{[]int{0, 2, 1, 3}, Audited{Entries: 4, Surprises: 3}},
	} {
		system := actor.NewSystem()
		ref, err := actor.Spawn(system, ledgers())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range c.row {
			if err := actor.Tell(ref, Entry{Number: n}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := actor.Ask(t.Context(), ref, Audit{})
		if err != nil || got != c.want {
			t.Errorf("%v: %+v, %v; want %+v", c.row, got, err, c.want)
		}
		if err := system.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
