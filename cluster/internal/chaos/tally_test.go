package chaos

import (
	"fmt"
	"testing"
)

func TestOnlyWhatNodesCouldDoIsCounted(t *testing.T) {
	name := func(i int) string { return fmt.Sprint("n", i) }
	times := []Apart{{Node: 0, Began: 100, Ended: 200}, {Node: 1, Began: 500, Ended: forever}}
	events := []Event{
		{Node: "n0", Kind: Put, Began: 10, Ended: 20, Outcome: Done},
		{Node: "n0", Kind: Put, Began: 30, Ended: 40, Outcome: Unknown, Failed: "unavailable"},
		{Node: "n0", Kind: Put, Began: 90, Ended: 110, Outcome: Unknown, Failed: "unavailable"},    // into the fault
		{Node: "n0", Kind: Put, Began: 190, Ended: 210, Outcome: Unknown, Failed: "unavailable"},   // out of it
		{Node: "n0", Kind: Put, Began: 90, Ended: 210, Outcome: Unknown, Failed: "unavailable"},    // all through it
		{Node: "n0", Kind: Put, Began: 201, Ended: 210, Outcome: Not, Error: "record has changed"}, // refused
		{Node: "n1", Kind: Put, Began: 120, Ended: 130, Outcome: Not, Failed: "canceled"},
		{Node: "n1", Kind: Put, Began: 600, Ended: 700, Outcome: Not, Failed: "canceled"},            // never healed
		{Node: "n1", Kind: Put, Began: 10},                                                           // cut off by the end of its process
		{Node: "n1", Kind: Write, Began: 10, Ended: 20, Outcome: Not, Failed: "failed_precondition"}, // not asked of a node
		{Node: "n1", Kind: Call, Began: 10, Ended: 20, Outcome: Done},
	}
	tallies := Count(events, times, name)
	if got := tallies[Put]; got.Ended != 4 || got.Failed != 2 || got.Codes["unavailable"] != 1 || got.Codes["canceled"] != 1 || got.Share() != 50 {
		t.Errorf("writes: %+v", got)
	}
	if got := tallies[Call]; got.Ended != 1 || got.Failed != 0 || got.Share() != 0 {
		t.Errorf("calls: %+v", got)
	}
	if len(tallies) != 2 {
		t.Errorf("counted %v", tallies)
	}
}

func TestWhatFailsTooOftenIsSaid(t *testing.T) {
	for share, excess := range map[int]bool{0: false, 40: false, 60: true} { // of a thousand
		tallies := Tallies{Put: {Ended: 1000, Failed: share}, Get: {Ended: 999, Failed: 999}}
		if err := tallies.Excess(); (err != nil) != excess {
			t.Errorf("%d of 1000 failed: %v", share, err)
		}
	}
}
