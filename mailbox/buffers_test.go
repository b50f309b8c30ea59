package mailbox

import "testing"

// The tests of this file look at buffers, which the API does not show.

func TestUnboundedGivesBackTheMemoryOfABurst(t *testing.T) {
	q := NewUnbounded[int]()
	for i := range 1_000_000 {
		if err := q.TryPush(i); err != nil {
			t.Fatal(err)
		}
	}
	if cap(q.pushed) < 1_000_000 {
		t.Fatalf("capacity %d during the burst", cap(q.pushed))
	}
	for range 1_000_001 { // the last Pop finds the queue empty
		q.Pop()
	}
	if n := cap(q.pushed) + cap(q.popping); n > 2*keptSlots {
		t.Errorf("drained queue keeps %d slots", n)
	}
}

func TestUnboundedShrinksWithoutEverBeingEmpty(t *testing.T) {
	q := NewUnbounded[int]()
	for i := range 100_000 {
		_ = q.TryPush(i)
	}
	for range 99_999 {
		q.Pop()
	}
	for range 1000 {
		_ = q.TryPush(0)
		q.Pop()
	}
	if n := cap(q.pushed) + cap(q.popping); n > 2*keptSlots {
		t.Errorf("queue of %d values keeps %d slots", q.Len(), n)
	}
}

func TestUnboundedReusesBuffers(t *testing.T) {
	q := NewUnbounded[[3]int]()
	rounds := func() {
		for range 20 {
			_ = q.TryPush([3]int{})
		}
		for range 21 {
			q.Pop()
		}
	}
	rounds()
	rounds()
	if n := testing.AllocsPerRun(100, rounds); n > 0 {
		t.Errorf("%v allocations for a warm round, want 0", n)
	}
}

func TestUnboundedForgetsPoppedValues(t *testing.T) {
	q := NewUnbounded[*int]()
	_ = q.TryPush(new(int))
	_ = q.TryPush(new(int))
	q.Pop()
	if q.popping[0] != nil {
		t.Error("a popped value stays reachable")
	}
}

func TestRingKeepsOrderWhileItGrowsAndWraps(t *testing.T) {
	var r ring[int]
	pushed, popped := 0, 0
	for round := range 200 {
		for range round%17 + 1 {
			r.push(pushed)
			pushed++
		}
		for range round % 13 {
			if v, ok := r.pop(); !ok || v != popped {
				t.Fatalf("pop = %d, %t, want %d", v, ok, popped)
			}
			popped++
		}
	}
	for _, v := range r.drain() {
		if v != popped {
			t.Fatalf("drained %d, want %d", v, popped)
		}
		popped++
	}
	if popped != pushed {
		t.Errorf("%d values of %d came out", popped, pushed)
	}
}

func TestRingForgetsPoppedValues(t *testing.T) {
	var r ring[*int]
	r.push(new(int))
	r.push(new(int))
	r.pop()
	if r.slots[0] != nil {
		t.Error("a popped value stays reachable")
	}
}

func TestRingGivesBackTheMemoryOfABurst(t *testing.T) {
	var r ring[int]
	for i := range 10_000 {
		r.push(i)
	}
	for range 10_000 {
		r.pop()
	}
	if len(r.slots) > keptSlots {
		t.Errorf("empty ring keeps %d slots", len(r.slots))
	}
}
