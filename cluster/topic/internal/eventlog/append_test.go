package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestAppendedEventIsReadAsItWas(t *testing.T) {
	p := openPartition(t, Config{Store: newStore(t)})
	e := Event{
		ID: "id", Key: "key", Type: "type", ContentType: "application/json",
		Header: map[string]string{"a": "b", "": "\xff"}, Payload: []byte("payload"),
	}
	want := e
	e.Offset, e.Dead = 17, &DeadLetter{Group: "a lie"}
	if got := appendAll(t, p, e, Event{}); !slices.Equal(got, []Offset{1, 2}) {
		t.Fatalf("offsets %d, want 1 and 2", got)
	}
	e.Payload[0], e.Header["a"] = 'X', "x" // Append keeps nothing of it
	got, err := p.Events.Read(t.Context(), 0, 10)
	must(t, err)
	want.Offset, want.Time = 1, got[0].Time
	want.Payload, want.Header = []byte("payload"), map[string]string{"a": "b", "": "\xff"}
	if len(got) != 2 || !reflect.DeepEqual(got[0], want) || got[0].Time.IsZero() {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestOffsetsGoOnWhereTheyWere(t *testing.T) {
	store := newStore(t)
	next := Offset(1)
	for epoch := range 5 {
		p := openPartition(t, Config{Store: store, Epoch: 7}) // also with the same epoch
		for _, o := range appendAll(t, p, numbered(10*epoch, 10)...) {
			if o != next {
				t.Fatalf("offset %d, want %d", o, next)
			}
			next++
		}
		if epoch%2 == 0 {
			must(t, p.Events.Purge(t.Context(), End()))
			crash(p)
		}
	}
}

func TestKnownIDsGetTheirOffsets(t *testing.T) {
	store := newStore(t)
	p := openPartition(t, Config{Store: store})
	first := appendAll(t, p, Event{ID: "a"}, Event{}, Event{ID: "b"}, Event{ID: "a"})
	if !slices.Equal(first, []Offset{1, 2, 3, 1}) {
		t.Errorf("offsets %d, want the first a's for the second", first)
	}
	must(t, p.Events.Purge(t.Context(), End())) // an ID outlives its event
	crash(p)
	p = openPartition(t, Config{Store: store})
	if got := appendAll(t, p, Event{ID: "c"}, Event{ID: "b"}, Event{ID: "a"}); !slices.Equal(got, []Offset{4, 3, 1}) {
		t.Errorf("offsets %d", got)
	}
	if got := appendAll(t, p, Event{ID: "c"}); !slices.Equal(got, []Offset{4}) {
		t.Errorf("offsets %d", got)
	}
}

func TestIDsAreForgottenByCount(t *testing.T) {
	store := newStore(t)
	p := openPartition(t, Config{Store: store, DuplicateCount: 100})
	for i := range 200 {
		appendAll(t, p, numbered(i, 1)...)
	}
	for _, again := range []bool{false, true} {
		if again {
			crash(p)
			p = openPartition(t, Config{Store: store, DuplicateCount: 100})
		}
		if got := appendAll(t, p, numbered(105, 1)...)[0]; got != 106 {
			t.Errorf("one of the last 100 events got offset %d", got)
		}
		if n := len(p.known.byIdentity); n > 100 || n < 99 {
			t.Errorf("%d IDs are known", n)
		}
	}
	if got := appendAll(t, p, numbered(0, 1)...)[0]; got != 201 {
		t.Errorf("an old event got offset %d", got)
	}
}

func TestAnOlderEpochIsFenced(t *testing.T) {
	store := newStore(t)
	old := openPartition(t, Config{Store: store, Epoch: 1})
	appendAll(t, old, numbered(0, 3)...)
	in := join(t, old.Events, ConsumerConfig{})
	got := in.want(t, 1, 2, 3)
	p := openPartition(t, Config{Store: store, Epoch: 2})
	in.ack(t, got...)
	_, err := old.Events.Append(t.Context(), numbered(3, 1))
	if !errors.Is(err, ErrFenced) {
		t.Errorf("Append by the old owner: %v, want ErrFenced", err)
	}
	<-old.Done()
	if !errors.Is(old.Err(), ErrFenced) || old.Events.Seek(t.Context(), "billing", Start()) == nil {
		t.Errorf("the old owner goes on: %v", old.Err())
	}
	if _, err := Open(t.Context(), Config{Store: store, Name: "orders/0", Epoch: 1}); !errors.Is(err, ErrFenced) {
		t.Errorf("Open with an old epoch: %v, want ErrFenced", err)
	}
	if got := appendAll(t, p, numbered(3, 1)...); got[0] != 4 {
		t.Errorf("offset %d, want 4", got[0])
	}
}

func TestAppendsShareCommits(t *testing.T) {
	const callers = 64
	store := &faulty{Store: newStore(t)}
	p := openPartition(t, Config{Store: store})
	before := store.count("Commit")
	begun, block := make(chan struct{}, 9), make(chan struct{})
	store.failing(func(method string) fault {
		if method == "Commit" {
			begun <- struct{}{}
			<-block
		}
		return fine
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[Offset]bool{}
	begin := func(caller int) {
		wg.Go(func() {
			offsets, err := p.Events.Append(context.Background(), numbered(caller, 1))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[offsets[0]] = true
		})
	}
	begin(0)
	<-begun
	for caller := 1; caller < callers; caller++ {
		begin(caller)
	}
	for waiting := 0; waiting < callers-1; runtime.Gosched() {
		p.mu.Lock()
		waiting = len(p.calls)
		p.mu.Unlock()
	}
	close(block)
	wg.Wait()
	if n := store.count("Commit") - before; n != 2 || len(seen) != callers {
		t.Errorf("%d commits for %d appends, which got %d offsets", n, callers, len(seen))
	}
}

func TestBadEventsAreRefused(t *testing.T) {
	p := openPartition(t, Config{Store: newStore(t)})
	long := strings.Repeat("x", MaxKeySize+1)
	half := make([]byte, MaxEventSize/2)
	for name, events := range map[string][]Event{
		"long key":  {{Key: long}},
		"long ID":   {{ID: long}},
		"too large": {{Payload: make([]byte, MaxEventSize)}},
		"too many":  {{Payload: half}, {Payload: half}},
		"huge":      {{Payload: make([]byte, 3*MaxEventSize)}},
	} {
		_, err := p.Events.Append(t.Context(), events)
		if e := actor.AsError(err); e == nil || e.Code != actor.InvalidArgument || !e.NotRun {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.DeadLetters.Append(t.Context(), numbered(0, 1)); !errors.Is(err, actor.InvalidArgument) {
		t.Errorf("a dead letter was appended: %v", err)
	}
	if got, err := p.Events.Append(t.Context(), nil); len(got) > 0 || err != nil {
		t.Errorf("no events: %v, %v", got, err)
	}
	if got := appendAll(t, p, numbered(0, 1)...); got[0] != 1 {
		t.Errorf("offset %d, want 1", got[0])
	}
}

func TestEventsOfAnySizeAreKept(t *testing.T) {
	for _, disk := range []bool{false, true} {
		store := newStore(t)
		if disk {
			store = diskStore(t)
		}
		p := openPartition(t, Config{Store: store})
		sizes := []int{0, 1, 1000, blockSize - 1, blockSize, 32 << 10, gatherSize, largeBlockSize, MaxEventSize - 100}
		for i, size := range sizes {
			appendAll(t, p, Event{Payload: bytes.Repeat([]byte{byte(i)}, size)})
		}
		many := make([]Event, 1000) // in one call
		for i := range many {
			many[i].Payload = bytes.Repeat([]byte{1}, 1000)
			sizes = append(sizes, 1000)
		}
		appendAll(t, p, many...)
		in := join(t, p.Events, ConsumerConfig{Window: len(sizes)})
		for i, size := range sizes {
			if d := in.want(t, Offset(i+1))[0]; len(d.Payload) != size {
				t.Errorf("event %d has %d bytes, want %d", d.Offset, len(d.Payload), size)
			}
		}
	}
}

func TestAppendThatIsGivenUpInTimeStoresNothing(t *testing.T) {
	store := &faulty{Store: newStore(t)}
	p := openPartition(t, Config{Store: store})
	begun, block := make(chan struct{}), make(chan struct{})
	store.failing(func(method string) fault {
		if method == "Commit" {
			begun <- struct{}{}
			<-block
		}
		return fine
	})
	first := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := p.Events.Append(ctx, numbered(0, 1))
		first <- err
	}()
	<-begun
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := p.Events.Append(ended, numbered(1, 1))
	if e := actor.AsError(err); e == nil || !e.NotRun || !errors.Is(err, context.Canceled) {
		t.Errorf("an append that was waiting: %v, want NotRun and Canceled", err)
	}
	cancel()
	if err := <-first; err == nil || actor.AsError(err).NotRun || !errors.Is(err, context.Canceled) {
		t.Errorf("an append under way: %v, want Canceled, but not NotRun", err)
	}
	store.failing(nil)
	close(block)
	if got := appendAll(t, p, numbered(0, 2)...); !slices.Equal(got, []Offset{1, 2}) {
		t.Errorf("offsets %d: the first was stored, the second was not", got)
	}
}

func TestTooMuchAtATimeIsRefused(t *testing.T) {
	store := &faulty{Store: newStore(t)}
	p := openPartition(t, Config{Store: store})
	block := make(chan struct{})
	store.failing(func(method string) fault {
		if method == "Commit" {
			<-block
		}
		return fine
	})
	var wg sync.WaitGroup
	full := make(chan error, 100)
	for range 8 {
		wg.Go(func() {
			_, err := p.Events.Append(context.Background(), []Event{{Payload: make([]byte, MaxEventSize-100)}})
			if err != nil {
				full <- err
			}
		})
	}
	if err := <-full; !errors.Is(err, ErrFull) || !actor.AsError(err).NotRun {
		t.Errorf("got %v, want ErrFull", err)
	}
	close(block)
	wg.Wait()
}

func ExampleOpen() {
	ctx := context.Background()
	store := exampleStore()
	defer store.Close()
	p, err := Open(ctx, Config{Store: store, Name: "orders/0", Epoch: 1})
	if err != nil {
		panic(err)
	}
	defer p.Close(ctx)

	offsets, err := p.Events.Append(ctx, []Event{{ID: "order-17", Key: "ada", Payload: []byte("a book")}})
	fmt.Println(offsets, err)
	done := make(chan struct{})
	_, err = p.Events.Join(ctx, ConsumerConfig{Group: "billing", Deliver: func(c *Consumer, deliveries []Delivery) {
		for _, d := range deliveries {
			fmt.Printf("%s gets %s\n", d.Key, d.Payload)
			_ = c.Ack(d.Tag)
		}
		close(done)
	}})
	if err != nil {
		panic(err)
	}
	<-done
	// Output:
	// [1] <nil>
	// ada gets a book
}
