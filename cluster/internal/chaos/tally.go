package chaos

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tally is what became of the operations of a kind.
type Tally struct {
	Ended, Failed int
	Codes         map[string]int // of those that failed
}

// Share is how many of a hundred have failed.
func (t Tally) Share() float64 { return 100 * float64(t.Failed) / float64(max(t.Ended, 1)) }

// Tallies are by kind.
type Tallies map[Kind]Tally

// Count counts what users of nodes have asked for, by kind, unless its node was apart
// meanwhile; name is that of a node. What a condition has refused has not failed.
func Count(events []Event, times []Apart, name func(node int) string) Tallies {
	apart := map[string][]Apart{}
	for _, t := range times {
		apart[name(t.Node)] = append(apart[name(t.Node)], t)
	}
	tallies := Tallies{}
	for _, e := range events {
		switch e.Kind {
		case Get, Put, Swap, Add, Acquire, Lead, Call, Publish:
		default:
			continue
		}
		meanwhile := func(t Apart) bool { return t.Began < e.Ended && e.Began < t.Ended }
		if e.Outcome == "" || slices.ContainsFunc(apart[e.Node], meanwhile) {
			continue
		}
		t := tallies[e.Kind]
		t.Ended++
		if e.Failed != "" {
			t.Failed++
			if t.Codes == nil {
				t.Codes = map[string]int{}
			}
			t.Codes[e.Failed]++
		}
		tallies[e.Kind] = t
	}
	return tallies
}

// Excess says what failed more often than faults explain: a node that has a majority
// serves it, but for the moments after a fault. Of fewer than a thousand it says nothing.
func (t Tallies) Excess() error {
	var errs []error
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		most := 5.0
		if kind == Acquire || kind == Lead {
			most = 15 // whoever has it may be the one that is apart
		}
		if tally := t[kind]; tally.Ended >= 1000 && tally.Share() > most {
			errs = append(errs, fmt.Errorf("%.1f %% of %s failed, want at most %v", tally.Share(), kind, most))
		}
	}
	return errors.Join(errs...)
}

// String has a line for each kind.
func (t Tallies) String() string {
	var lines []string
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		line := fmt.Sprintf("%s: %d of %d failed, %.2f %%", kind, t[kind].Failed, t[kind].Ended, t[kind].Share())
		for _, code := range slices.Sorted(maps.Keys(t[kind].Codes)) {
			line += fmt.Sprintf(", %d %s", t[kind].Codes[code], code)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
