package chaos

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/anishathalye/porcupine"
)

// What is not known to have happened may happen at any time later, which makes a long
// history hard to judge: each such write doubles the ways in which it may have gone.
// Values are unique, and so much is known all the same.

// attempt is one operation on a record.
type attempt struct {
	Event
	// nth numbers the additions of which it is not known whether they happened, from 1, in the
	// order in which they began; 0 for everything else. If one of them happened, it might as
	// well have been any earlier one: they are taken in order.
	nth int
}

// register is the state of a record.
type register struct {
	value string
	added int // of the additions with a number
}

// registers is the model of a record.
func registers() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return register{} },
		Step: func(state, input, output any) (bool, any) {
			s, e := state.(register), input.(attempt)
			known := e.Outcome == Done
			switch e.Kind {
			case Get:
				return !known || e.Got == s.value, s
			case Put:
				s.value = e.Value
				return true, s
			case Add:
				n, err := strconv.Atoi("0" + s.value)
				if err != nil || known && e.Got != strconv.Itoa(n) || e.nth > 0 && e.nth != s.added+1 {
					return false, s
				}
				s.value, s.added = strconv.Itoa(n+1), max(s.added, e.nth)
				return true, s
			case Swap:
				if e.Expect == s.value {
					s.value = e.Value
					return e.Outcome != Refused, s
				}
				return !known, s
			}
			return false, s
		},
		Equal: func(a, b any) bool { return a == b },
	}
}

// registerOperations returns the operations on one record, and, if that is not the same,
// those without the writes that nobody is known to have seen: if these can be put in
// order, so can all, with the others at the end.
func registerOperations(history []Event) (all, seen []porcupine.Operation) {
	history = slices.SortedStableFunc(slices.Values(history), func(a, b Event) int { return cmp.Compare(a.Began, b.Began) })
	shown := whenSeen(history)
	nth := 0
	for i, e := range history {
		if e.Outcome == Not || e.Kind == Get && e.Outcome != Done {
			continue
		}
		o := porcupine.Operation{ClientId: i, Input: attempt{Event: e}, Call: e.Began, Return: e.Ended}
		unseen := false
		if e.isUnknown() {
			o.Return = math.MaxInt64
			if e.Kind == Add {
				nth++
				o.Input = attempt{e, nth}
			} else if until, ok := shown[e.Value]; ok {
				o.Return = until
			} else {
				unseen = true
			}
		}
		all = append(all, o)
		if !unseen {
			seen = append(seen, o)
		}
	}
	return all, seen
}

// whenSeen returns, for values that somebody has surely seen, when that was over: they
// have been written before.
func whenSeen(history []Event) map[string]int64 {
	shown := map[string]int64{}
	see := func(value string, at int64) bool {
		if before, ok := shown[value]; ok && before <= at {
			return false
		}
		shown[value] = at
		return true
	}
	for _, e := range history {
		switch {
		case e.Outcome != Done:
		case e.Kind == Get:
			see(e.Got, e.Ended)
		case e.Kind == Swap:
			see(e.Expect, e.Ended)
		}
	}
	for more := true; more; { // a swap whose value was seen has seen the one before
		more = false
		for _, e := range history {
			if at, ok := shown[e.Value]; ok && e.Kind == Swap && e.isUnknown() && see(e.Expect, at) {
				more = true
			}
		}
	}
	return shown
}

// isUnknown reports whether it is not known whether e has happened.
func (e Event) isUnknown() bool {
	return e.Outcome != Done && e.Outcome != Not && e.Outcome != Refused
}
