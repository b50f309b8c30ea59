package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// history makes events out of a short form; all take one nanosecond, in their order.
func history(events ...Event) []Event {
	for i := range events {
		e := &events[i]
		e.ID = string(rune('a' + i))
		if e.Began == 0 {
			e.Began = int64(10 * (i + 1))
		}
		if e.Ended == 0 {
			e.Ended = e.Began + 1
		}
		if e.Outcome == "" {
			e.Outcome = Done
		}
	}
	return events
}

// handled is a delivery to the first group.
func handled(value string, offset uint64, attempt int) Event {
	return Event{Kind: Handle, Value: value, Token: offset, Attempt: attempt, Got: groupA}
}

// said is a history in which the other group gets what the first one does.
func said(events ...Event) (both []Event) {
	for _, e := range events {
		both = append(both, e)
		if e.Kind == Handle {
			e.Got = groupB
			both = append(both, e)
		}
	}
	return both
}

func TestHistoriesAreJudged(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []Event
		broken string // what the error must say; empty if all is well
	}{
		{"a write is read", []Event{{Kind: Put, Value: "1"}, {Kind: Get, Got: "1"}}, ""},
		{"a stale read", []Event{{Kind: Put, Value: "1"}, {Kind: Put, Value: "2"}, {Kind: Get, Got: "1"}}, "not linearizable"},
		{"a lost write", []Event{{Kind: Put, Value: "1"}, {Kind: Get}}, "not linearizable"},
		{"an unknown write happened", []Event{{Kind: Put, Value: "1", Outcome: Unknown}, {Kind: Get, Got: "1"}}, ""},
		{"an unknown write did not happen", []Event{{Kind: Put, Value: "1", Outcome: Unknown}, {Kind: Get}}, ""},
		{"a write that cannot have happened did", []Event{{Kind: Put, Value: "1", Outcome: Not}, {Kind: Get, Got: "1"}}, "not linearizable"},
		{"a counter that is lost", []Event{{Kind: Add, Got: "0"}, {Kind: Get}}, "not linearizable"},
		{"a swap that fits", []Event{{Kind: Put, Value: "1"}, {Kind: Swap, Expect: "1", Value: "2"}, {Kind: Get, Got: "2"}}, ""},
		{"a swap that does not fit succeeds", []Event{{Kind: Put, Value: "1"}, {Kind: Swap, Expect: "3", Value: "2"}}, "not linearizable"},
		{"a swap that fits is refused", []Event{{Kind: Put, Value: "1"}, {Kind: Swap, Expect: "1", Value: "2", Outcome: Refused}}, "not linearizable"},
		{"a swap that fits was not tried", []Event{{Kind: Put, Value: "1"}, {Kind: Swap, Expect: "1", Value: "2", Outcome: Not}, {Kind: Get, Got: "1"}}, ""},
		{"a swap that was not tried was made", []Event{{Kind: Put, Value: "1"}, {Kind: Swap, Expect: "1", Value: "2", Outcome: Not}, {Kind: Get, Got: "2"}}, "not linearizable"},
		{"an unknown write that nobody saw explains a refusal", []Event{{Kind: Put, Value: "1"}, {Kind: Put, Value: "2", Outcome: Unknown}, {Kind: Swap, Expect: "1", Value: "3", Outcome: Refused}, {Kind: Put, Value: "4"}, {Kind: Get, Got: "4"}}, ""},
		{"an unknown write was seen, and then not", []Event{{Kind: Put, Value: "1"}, {Kind: Put, Value: "2", Outcome: Unknown}, {Kind: Get, Got: "2"}, {Kind: Get, Got: "1"}}, "not linearizable"},
		{"an unknown write is seen late", []Event{{Kind: Put, Value: "1"}, {Kind: Put, Value: "2", Outcome: Unknown}, {Kind: Get, Got: "1"}, {Kind: Get, Got: "2"}}, ""},
		{"an unknown swap was seen by a swap that was seen", []Event{{Kind: Swap, Value: "1", Outcome: Unknown}, {Kind: Swap, Expect: "1", Value: "2", Outcome: Unknown}, {Kind: Get, Got: "2"}, {Kind: Get, Got: "1"}}, "not linearizable"},
		{"unknown additions happened", []Event{{Kind: Add, Got: "0"}, {Kind: Add, Outcome: Unknown}, {Kind: Add, Outcome: Unknown}, {Kind: Add, Got: "2"}, {Kind: Add, Got: "3"}}, ""},
		{"more additions than there were", []Event{{Kind: Add, Got: "0"}, {Kind: Add, Outcome: Unknown}, {Kind: Add, Got: "3"}}, "not linearizable"},
		{"two additions", []Event{{Kind: Add, Got: "0"}, {Kind: Add, Got: "1"}}, ""},
		{"an addition twice", []Event{{Kind: Add, Got: "0"}, {Kind: Add, Got: "0"}}, "not linearizable"},
		{"a lock goes on", []Event{{Kind: Acquire, Token: 1}, {Kind: End, Token: 1}, {Kind: Acquire, Token: 2}}, ""},
		{"two hold a lock", []Event{{Kind: Acquire, Token: 1}, {Kind: Acquire, Token: 2}}, "not linearizable"},
		{"a holder was cut off", []Event{{Kind: Acquire, Token: 1}, {Kind: End, Token: 1, Outcome: Unknown}, {Kind: Acquire, Token: 2}}, ""},
		{"a token goes back", []Event{{Kind: Acquire, Token: 2}, {Kind: End, Token: 2}, {Kind: Acquire, Token: 1}}, "not linearizable"},
		{"a token twice", []Event{{Kind: Acquire, Token: 2}, {Kind: End, Token: 2}, {Kind: Acquire, Token: 2}}, "was given to"},
		{"a late write is refused", []Event{{Kind: Write, Token: 1, Outcome: Not}}, ""},
		{"a holder is refused", []Event{{Kind: Write, Token: 1, Outcome: Unknown, Error: "code: " + refusedHolder}}, "held the lock"},
		{"one activation after the other", []Event{{Kind: Answer, Token: 1, Got: "x", Node: "a"}, {Kind: Answer, Token: 2, Got: "y", Node: "b"}}, ""},
		{"passivated and back", []Event{{Kind: Answer, Token: 1, Got: "x", Node: "a"}, {Kind: Answer, Token: 1, Got: "y", Node: "a"}}, ""},
		{"two in one epoch", []Event{{Kind: Answer, Token: 1, Got: "x", Node: "a"}, {Kind: Answer, Token: 1, Got: "y", Node: "b"}}, "both"},
		{"two at a time", []Event{{Kind: Answer, Token: 1, Got: "x", Node: "a"}, {Kind: Answer, Token: 2, Got: "y", Node: "b"}, {Kind: Answer, Token: 1, Got: "x", Node: "a"}}, "answered in epoch 1"},
		{"an epoch goes back", []Event{{Kind: Answer, Token: 2, Got: "x", Node: "a"}, {Kind: Answer, Token: 1, Got: "y", Node: "b"}}, "answered in epoch 2"},
		{"published and handled", said(Event{Kind: Publish, Value: "1"}, handled("1", 1, 1), handled("1", 1, 2)), ""},
		{"in order", said(handled("1", 1, 1), handled("2", 2, 1), handled("1", 1, 2)), ""},
		{"out of order", said(handled("2", 2, 1), handled("1", 1, 1)), "got event 1 after event 2"},
		{"an event is lost", said(Event{Kind: Publish, Value: "1"}, handled("2", 2, 1)), "has not got it"},
		{"a group misses an event", []Event{{Kind: Publish, Value: "1"}, handled("1", 1, 1)}, "group-b has not got it"},
		{"an event that was not acknowledged is lost", []Event{{Kind: Publish, Value: "1", Outcome: Unknown}}, ""},
		{"twice without a mark", said(handled("1", 1, 1), handled("1", 1, 1)), "first time twice"},
		{"one offset for two", said(handled("1", 1, 1), handled("2", 1, 1)), "twice"},
		{"two offsets for one", said(handled("1", 1, 1), handled("1", 2, 1)), "got 1 as event 2"},
	} {
		_, err := Check(history(test.events...), time.Minute)
		switch {
		case err == nil && test.broken != "":
			t.Errorf("%s: nothing was found", test.name)
		case err != nil && (test.broken == "" || !strings.Contains(err.Error(), test.broken)):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// What is not known must not make a long history too hard to judge.
func TestAHistoryWithMuchThatIsUnknownIsJudged(t *testing.T) {
	var puts, adds []Event
	for i := range 60 {
		value := fmt.Sprint(i)
		puts = append(puts, Event{Kind: Put, Value: "unknown " + value, Outcome: Unknown}, Event{Kind: Put, Value: value}, Event{Kind: Get, Got: value})
		adds = append(adds, Event{Kind: Add, Outcome: Unknown}, Event{Kind: Add, Got: fmt.Sprint(i + i/2)})
	}
	for name, events := range map[string][]Event{"puts": puts, "adds": adds} {
		if _, err := Check(history(events...), time.Minute); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARecordThatWasCutOffIsRead(t *testing.T) {
	var out strings.Builder
	r := NewRecorder("run", &out)
	r.End(r.Begin(Event{Kind: Put, Outcome: Done}))
	r.Begin(Event{Kind: Get})
	text := out.String() + `{"id":"run-`
	events, err := ReadEvents(strings.NewReader(text))
	if err != nil || len(events) != 2 || events[0].Outcome != Done || events[1].Outcome != "" {
		t.Errorf("read %+v, %v", events, err)
	}
	if _, err := ReadEvents(strings.NewReader(text + "\n{}\n")); err == nil {
		t.Error("a damaged line in the middle was not noticed")
	}
}
