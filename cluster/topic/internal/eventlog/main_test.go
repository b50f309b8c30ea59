package eventlog

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newStore returns a store in memory that ends with the test.
func newStore(t testing.TB) persistence.Store {
	t.Helper()
	s, err := badger.Open(context.Background(), badger.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// openPartition opens one that ends with the test.
func openPartition(t testing.TB, config Config) *Partition {
	t.Helper()
	if config.Name == "" {
		config.Name = "orders/0"
	}
	p, err := Open(context.Background(), config)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close(context.Background())) })
	return p
}

// crash ends p as the end of its process does.
func crash(p *Partition) {
	p.fail(ErrClosed)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Close(ctx)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// numbered returns events with those IDs, and no key.
func numbered(from, count int) []Event {
	events := make([]Event, count)
	for i := range events {
		events[i] = Event{ID: fmt.Sprint("id-", from+i), Payload: fmt.Append(nil, from+i)}
	}
	return events
}

func appendAll(t testing.TB, p *Partition, events ...Event) []Offset {
	t.Helper()
	offsets, err := p.Events.Append(context.Background(), events)
	must(t, err)
	return offsets
}

// inbox is what a consumer got.
type inbox struct {
	*Consumer
	arrived chan Delivery
}

// join returns an inbox that takes as much as the window allows.
func join(t testing.TB, l *Log, config ConsumerConfig) *inbox {
	t.Helper()
	in := &inbox{}
	window := config.withDefaults().Window
	in.arrived = make(chan Delivery, 10*window+1000)
	config.Deliver = func(_ *Consumer, deliveries []Delivery) {
		for _, d := range deliveries {
			in.arrived <- d
		}
	}
	if config.Group == "" {
		config.Group = "billing"
	}
	c, err := l.Join(context.Background(), config)
	must(t, err)
	in.Consumer = c
	return in
}

// next returns the next delivery.
func (in *inbox) next(t testing.TB) Delivery {
	t.Helper()
	select {
	case d := <-in.arrived:
		return d
	case <-time.After(time.Minute):
		t.Fatal("nothing was delivered")
	}
	return Delivery{}
}

// want fails the test unless the next deliveries have these offsets, and returns them.
func (in *inbox) want(t testing.TB, offsets ...Offset) []Delivery {
	t.Helper()
	var got []Delivery
	for _, o := range offsets {
		d := in.next(t)
		if d.Offset != o {
			t.Fatalf("event %d was delivered, want %d", d.Offset, o)
		}
		got = append(got, d)
	}
	return got
}

// none fails the test if something was delivered. It is for bubbles, after Wait.
func (in *inbox) none(t testing.TB) {
	t.Helper()
	if len(in.arrived) > 0 {
		t.Fatalf("%+v was delivered, want nothing", <-in.arrived)
	}
}

// begin is called by whoever handles an event.
func (in *inbox) begin(t testing.TB, d Delivery) {
	t.Helper()
	if d.Suspect {
		must(t, in.Begin(context.Background(), d.Tag))
	}
}

func (in *inbox) ack(t testing.TB, deliveries ...Delivery) {
	t.Helper()
	for _, d := range deliveries {
		must(t, in.Ack(d.Tag))
	}
}

// fault is what happens to a call of a faulty store.
type fault int

const (
	fine    fault = iota
	failed        // nothing is done
	unheard       // it is done, and the answer is lost
	pending       // it is done after the answer was lost, if it still can be
)

var errInjected = fmt.Errorf("injected")

// faulty is a store whose calls a test makes fail.
type faulty struct {
	persistence.Store
	mu     sync.Mutex
	next   func(method string) fault
	late   []persistence.Transaction
	counts map[string]int
}

func (f *faulty) failing(next func(method string) fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

func (f *faulty) enter(method string) fault {
	f.mu.Lock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[method]++
	next := f.next
	f.mu.Unlock()
	if next == nil {
		return fine
	}
	return next(method)
}

func (f *faulty) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[method]
}

func (f *faulty) Get(ctx context.Context, key string, options ...persistence.ReadOption) (persistence.Record, error) {
	if f.enter("Get") != fine {
		return persistence.Record{}, errInjected
	}
	return f.Store.Get(ctx, key, options...)
}

func (f *faulty) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	if f.enter("List") != fine {
		return nil, errInjected
	}
	return f.Store.List(ctx, q, options...)
}

func (f *faulty) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	what := f.enter("Commit")
	// What was sent before may arrive at any time, such as now.
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	for _, t := range late {
		_, _ = f.Store.Commit(context.Background(), t)
	}
	switch what {
	case failed:
		return 0, errInjected
	case pending:
		f.mu.Lock()
		f.late = append(f.late, t)
		f.mu.Unlock()
		return 0, errInjected
	}
	revision, err := f.Store.Commit(ctx, t)
	if what == unheard {
		return 0, errInjected
	}
	return revision, err
}

func diskStore(t testing.TB) persistence.Store {
	t.Helper()
	s, err := badger.Open(context.Background(), badger.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func exampleStore() persistence.Store {
	s, err := badger.Open(context.Background(), badger.Config{})
	if err != nil {
		panic(err)
	}
	return s
}
