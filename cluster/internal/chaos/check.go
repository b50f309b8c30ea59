package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Report is what a history amounts to.
type Report struct {
	Events, Done, Not, Unknown int
	Tokens, Epochs             int // that were given
	Deliveries                 int // of durable topics
}

// Check judges a history. The error says what promise was broken.
func Check(events []Event, patience time.Duration) (Report, error) {
	var report Report
	byKey := map[string][]Event{}
	for _, e := range events {
		report.Events++
		switch e.Outcome {
		case Done:
			report.Done++
		case Not, Refused:
			report.Not++
		default:
			report.Unknown++
		}
		byKey[e.Key] = append(byKey[e.Key], e)
	}
	var errs []error
	for key, history := range byKey {
		switch history[0].Kind {
		case Get, Put, Swap, Add:
			errs = append(errs, registersHold(key, history, patience))
		case Acquire, End, Write, Lead, Resign:
			errs = append(errs, locksHold(key, history, patience))
			tokens, err := growing(key, history)
			report.Tokens += tokens
			errs = append(errs, err)
		case Answer, Call:
			epochs, err := single(key, history)
			report.Epochs += epochs
			errs = append(errs, err)
		case Publish, Handle:
			deliveries, err := delivered(key, history)
			report.Deliveries += deliveries
			errs = append(errs, err)
		}
	}
	return report, errors.Join(errs...)
}

// registersHold judges the history of one record.
func registersHold(key string, history []Event, patience time.Duration) error {
	all, seen := registerOperations(history)
	if len(seen) < len(all) && porcupine.CheckOperationsTimeout(registers(), seen, patience) == porcupine.Ok {
		return nil
	}
	return linearizable(key, history, registers(), all, patience)
}

// locksHold judges the history of one lock, or of one election.
func locksHold(key string, history []Event, patience time.Duration) error {
	var operations []porcupine.Operation
	for i, e := range history {
		if !isLockOperation(e) {
			continue
		}
		o := porcupine.Operation{ClientId: i, Input: e, Call: e.Began, Return: e.Ended}
		if e.isUnknown() {
			o.Return = math.MaxInt64 // it may take effect at any time
		}
		operations = append(operations, o)
	}
	return linearizable(key, history, locks(), operations, patience)
}

func linearizable(key string, history []Event, model porcupine.Model, operations []porcupine.Operation, patience time.Duration) error {
	switch porcupine.CheckOperationsTimeout(model, operations, patience) {
	case porcupine.Illegal:
		return fmt.Errorf("the history of %s is not linearizable: %d operations:\n%s", key, len(operations), listed(history))
	case porcupine.Unknown:
		return fmt.Errorf("the history of %s could not be judged within %v: %d operations", key, patience, len(operations))
	}
	return nil
}

// listed has a line for each event, in the order in which they began, with times in
// microseconds.
func listed(history []Event) string {
	var text strings.Builder
	order := slices.SortedStableFunc(slices.Values(history), func(a, b Event) int { return cmp.Compare(a.Began, b.Began) })
	for _, e := range order {
		since := (e.Began - order[0].Began) / 1000
		took := "never ended"
		if e.Ended != 0 {
			took = fmt.Sprint("took ", (e.Ended-e.Began)/1000)
		}
		fmt.Fprintf(&text, "  at %d %s: %s %s %s value=%q expect=%q got=%q token=%d: %s %s\n",
			since, took, e.ID, e.Node, e.Kind, e.Value, e.Expect, e.Got, e.Token, e.Outcome, e.Error)
	}
	return text.String()
}

// holding is the state of a lock: the token that holds it, if any, and the last one.
type holding struct{ holder, last uint64 }

// locks is the model of a lock and of leadership.
func locks() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return holding{} },
		Step: func(state, input, output any) (bool, any) {
			s, e := state.(holding), input.(Event)
			switch e.Kind {
			case Acquire, Lead:
				return s.holder == 0 && e.Token > s.last, holding{e.Token, e.Token}
			default:
				if s.holder == e.Token {
					s.holder = 0
				}
				return true, s
			}
		},
		Equal: func(a, b any) bool { return a == b },
	}
}

// An acquisition that was not answered gives no token: it shows by the next one.
func isLockOperation(e Event) bool {
	acquired := (e.Kind == Acquire || e.Kind == Lead) && e.Outcome == Done
	return acquired || e.Kind == End || e.Kind == Resign
}

// growing makes sure that tokens are never given twice, and that a resource which
// refuses lower ones than it has seen would not have refused a holder that was right.
func growing(key string, history []Event) (tokens int, err error) {
	owner := map[uint64]string{}
	for _, e := range history {
		if e.Kind == Write && strings.HasSuffix(e.Error, refusedHolder) {
			return tokens, fmt.Errorf("%s: %s was refused with token %d, and held the lock", key, e.Node, e.Token)
		}
		if (e.Kind == Acquire || e.Kind == Lead) && e.Outcome == Done {
			tokens++
			if other, twice := owner[e.Token]; twice {
				return tokens, fmt.Errorf("%s: token %d was given to %s and to %s", key, e.Token, other, e.ID)
			}
			owner[e.Token] = e.ID
		}
	}
	return tokens, nil
}

// single makes sure that activations follow each other in time, as their epochs do, and
// that those of one epoch are on one node: there, one may be passivated and come again.
func single(key string, history []Event) (epochs int, err error) {
	type span struct {
		activation, node string
		epoch            uint64
		first, last      int64
	}
	spans := map[string]*span{}
	nodes := map[uint64]string{}
	for _, e := range history {
		if e.Kind != Answer {
			continue
		}
		s := spans[e.Got]
		if s == nil {
			s = &span{activation: e.Got, node: e.Node, epoch: e.Token, first: e.Began, last: e.Began}
			spans[e.Got] = s
		}
		if other, known := nodes[e.Token]; known && other != e.Node {
			return 0, fmt.Errorf("%s: in epoch %d both %s and %s answered", key, e.Token, other, e.Node)
		}
		nodes[e.Token] = e.Node
		s.first, s.last = min(s.first, e.Began), max(s.last, e.Began)
	}
	order := slices.SortedFunc(maps.Values(spans), func(a, b *span) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(order); i++ {
		before, after := order[i-1], order[i]
		if before.last > after.first || before.epoch > after.epoch {
			return 0, fmt.Errorf("%s: %s on %s answered in epoch %d until %v after %s on %s did in epoch %d",
				key, before.activation, before.node, before.epoch, time.Duration(before.last-after.first), after.activation, after.node, after.epoch)
		}
	}
	return len(nodes), nil
}
