package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// TestRandomOperationsKeepThePromises does random things to a partition, on a store
// that fails now and then, with owners that crash, and compares what happens with what
// may happen.
func TestRandomOperationsKeepThePromises(t *testing.T) {
	seeds := 60
	if testing.Short() || raceEnabled {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel(t, uint64(seed))
				for range 400 {
					m.step()
				}
				m.finish()
			})
		})
	}
}

const (
	modelDeadline = 5 * time.Second
	modelAttempts = 4
	modelWindow   = 5
)

// model is what is known of a partition from outside.
type model struct {
	*testing.T
	random *rand.Rand
	store  *faulty
	p      *Partition
	epoch  persistence.Revision
	faulty bool

	mu       sync.Mutex
	faults   *rand.Rand
	next     int
	offsets  map[string]Offset // of the events that were acknowledged to their publisher
	tried    []Event           // that may be in the log
	keys     map[Offset]string // of what was delivered
	groups   map[string]*modelGroup
	openings int
}

// modelGroup is what a group has got.
type modelGroup struct {
	*model
	name      string
	consumers []*modelConsumer
	got       map[Offset]int  // the highest attempt
	acked     map[Offset]int  // in which opening
	maybeDead map[Offset]bool // given up, or so it may be
	out       map[uint64]modelDelivery
}

type modelDelivery struct {
	Delivery
	consumer *modelConsumer
	due      time.Time
}

type modelConsumer struct {
	*Consumer
	group *modelGroup
	left  bool
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		T: t, random: rand.New(rand.NewPCG(seed, 0)), faults: rand.New(rand.NewPCG(seed, 1)), store: &faulty{Store: newStore(t)},
		offsets: map[string]Offset{}, keys: map[Offset]string{}, groups: map[string]*modelGroup{},
	}
	for _, name := range []string{"a", "b"} {
		m.groups[name] = &modelGroup{model: m, name: name, got: map[Offset]int{}, acked: map[Offset]int{}, maybeDead: map[Offset]bool{}}
	}
	m.store.failing(m.fault)
	m.reopen(false)
	return m
}

func (m *model) fault(method string) fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.faulty || m.faults.IntN(3) > 0:
		return fine
	case method != "Commit":
		return failed
	}
	return []fault{failed, unheard, pending}[m.faults.IntN(3)]
}

func (m *model) reopen(clean bool) {
	if m.p != nil && clean {
		_ = m.p.Close(context.Background())
	} else if m.p != nil {
		crash(m.p)
	}
	synctest.Wait()
	m.mu.Lock()
	m.openings++
	for _, g := range m.groups {
		g.consumers, g.out = nil, map[uint64]modelDelivery{}
	}
	m.mu.Unlock()
	m.epoch += persistence.Revision(m.random.IntN(2))
	for {
		p, err := Open(context.Background(), Config{Store: m.store, Name: "model", Epoch: m.epoch})
		if err == nil {
			m.p = p
			return
		}
		if !errors.Is(err, errInjected) {
			m.Fatal(err)
		}
	}
}

func (m *model) step() {
	g := m.groups[[]string{"a", "b"}[m.random.IntN(2)]]
	switch n := m.random.IntN(100); {
	case n < 30:
		m.append()
	case n < 80:
		m.settle(g)
	case n < 88:
		<-time.After(time.Duration(m.random.IntN(1500)) * time.Millisecond)
	case n < 91:
		m.mu.Lock()
		m.faulty = !m.faulty
		m.mu.Unlock()
	case n < 95:
		g.join()
	case n < 97 && len(g.consumers) > 0:
		g.leave(m.random.IntN(len(g.consumers)))
	case n < 99:
		m.reopen(false)
	default:
		m.reopen(true)
	}
	synctest.Wait()
}

func (m *model) append() {
	var events []Event
	for range 1 + m.random.IntN(5) {
		e := Event{ID: fmt.Sprint(m.next), Key: []string{"", "x", "y", "z"}[m.random.IntN(4)]}
		if len(m.tried) > 0 && m.random.IntN(4) == 0 {
			e = m.tried[m.random.IntN(len(m.tried))] // again
		} else {
			m.next++
			m.tried = append(m.tried, e)
		}
		events = append(events, e)
	}
	offsets, err := m.p.Events.Append(context.Background(), events)
	if err != nil {
		if !errors.Is(err, errInjected) {
			m.Fatalf("Append: %v", err)
		}
		return
	}
	for i, e := range events {
		if before, known := m.offsets[e.ID]; known && before != offsets[i] {
			m.Fatalf("event %s has offset %d, and had %d", e.ID, offsets[i], before)
		}
		m.offsets[e.ID] = offsets[i]
	}
}

func (g *modelGroup) join() {
	if len(g.consumers) == 3 {
		return
	}
	c := &modelConsumer{group: g}
	joined, err := g.p.Events.Join(context.Background(), ConsumerConfig{
		Group: g.name, Window: modelWindow, AckDeadline: modelDeadline, MaxAttempts: modelAttempts,
		Deliver: func(_ *Consumer, deliveries []Delivery) { c.deliver(deliveries) },
	})
	if err != nil {
		if !errors.Is(err, errInjected) {
			g.Fatalf("Join: %v", err)
		}
		return
	}
	c.Consumer = joined
	g.consumers = append(g.consumers, c)
}

func (g *modelGroup) leave(i int) {
	c := g.consumers[i]
	g.consumers = append(g.consumers[:i:i], g.consumers[i+1:]...)
	g.mu.Lock()
	c.left = true
	g.mu.Unlock()
	c.Leave([]error{nil, errInjected}[g.random.IntN(2)])
}

// deliver checks what a consumer gets.
func (c *modelConsumer) deliver(deliveries []Delivery) {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for _, d := range deliveries {
		if before := g.got[d.Offset]; before > 0 && d.Attempt == 1 {
			g.Errorf("event %d comes again, after attempt %d, and is not marked", d.Offset, before)
		}
		if opening, acked := g.acked[d.Offset]; acked && opening == g.openings {
			g.Errorf("event %d comes again although it was acknowledged", d.Offset)
		}
		mine := 0
		for tag, other := range g.out {
			if !now.Before(other.due) || other.consumer.left {
				delete(g.out, tag)
				continue
			}
			if other.consumer == c {
				mine++
			}
			if d.Key != "" && other.Key == d.Key {
				g.Errorf("events %d and %d of key %q are delivered at the same time", other.Offset, d.Offset, d.Key)
			}
			if other.Offset == d.Offset {
				g.Errorf("event %d is delivered twice at the same time", d.Offset)
			}
		}
		if mine >= modelWindow {
			g.Errorf("%d events are delivered to a consumer at a time", mine+1)
		}
		g.got[d.Offset] = max(g.got[d.Offset], d.Attempt)
		g.keys[d.Offset] = d.Key
		for o, key := range g.keys {
			_, acked := g.acked[o]
			if o < d.Offset && d.Key != "" && key == d.Key && !acked && !g.maybeDead[o] {
				g.Errorf("event %d of key %q is delivered before event %d", d.Offset, key, o)
			}
		}
		if d.Attempt >= modelAttempts {
			g.maybeDead[d.Offset] = true
		}
		g.out[d.Tag] = modelDelivery{d, c, now.Add(modelDeadline)}
	}
}

// settle ends a delivery.
func (m *model) settle(g *modelGroup) {
	g.mu.Lock()
	var found modelDelivery
	for _, d := range g.out {
		if !d.consumer.left && (found.Tag == 0 || d.Tag < found.Tag) {
			found = d // the oldest, so that a seed says it all
		}
	}
	what := m.random.IntN(20)
	if found.Tag == 0 {
		g.mu.Unlock()
		return
	}
	c, o := found.consumer, found.Offset
	if found.Suspect {
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = c.Begin(ctx, found.Tag) // or it is over, or may not be known to have begun
		cancel()
		g.mu.Lock()
	}
	delete(g.out, found.Tag)
	_, before := g.acked[o]
	switch {
	case what < 14:
		g.acked[o] = g.openings // what it releases may come before Ack returns
	case what < 15:
		g.maybeDead[o] = true
	}
	g.mu.Unlock()
	var err error
	switch {
	case what < 14:
		err = c.Ack(found.Tag)
	case what < 15:
		err = c.Reject(found.Tag, errInjected)
	default:
		err = c.Nack(found.Tag, time.Duration(m.random.IntN(2))*time.Second, errInjected)
	}
	if err == nil {
		return
	}
	if !errors.Is(err, ErrNotDelivered) || time.Now().Before(found.due) {
		m.Errorf("event %d: %v", o, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if what < 14 && !before {
		delete(g.acked, o)
	}
}

// finish lets everything come to its end, and compares the log with what was appended.
func (m *model) finish() {
	m.mu.Lock()
	m.faulty = false
	m.mu.Unlock()
	m.reopen(m.random.IntN(2) == 0)
	for _, g := range m.groups {
		g.join()
		for m.lag(g) > 0 {
			m.settle(g)
			synctest.Wait()
			<-time.After(50 * time.Millisecond)
		}
	}
	events := m.all(m.p.Events)
	ids := map[string]Offset{}
	for _, e := range events {
		if before, twice := ids[e.ID]; twice {
			m.Errorf("event %s is there twice, at %d and %d", e.ID, before, e.Offset)
		}
		ids[e.ID] = e.Offset
	}
	for id, o := range m.offsets {
		if ids[id] != o {
			m.Errorf("event %s was given offset %d, and is at %d", id, o, ids[id])
		}
	}
	dead := map[DeadLetter]bool{}
	for _, e := range m.all(m.p.DeadLetters) {
		which := DeadLetter{Group: e.Dead.Group, Offset: e.Dead.Offset}
		if dead[which] || ids[e.ID] != which.Offset {
			m.Errorf("event %s is a dead letter of group %q twice, or it is another one", e.ID, which.Group)
		}
		dead[which] = true
	}
	for _, g := range m.groups {
		for _, e := range events {
			if _, acked := g.acked[e.Offset]; !acked && !dead[DeadLetter{Group: g.name, Offset: e.Offset}] {
				m.Errorf("group %q is through, without event %d", g.name, e.Offset)
			}
		}
	}
	must(m, m.p.Close(context.Background()))
}

func (m *model) lag(g *modelGroup) uint64 {
	for _, info := range m.p.Events.Inspect().Groups {
		if info.Name == g.name {
			return info.Lag
		}
	}
	return 0
}

// all reads a log, which has no gaps.
func (m *model) all(l *Log) (all []Event) {
	for {
		page, err := l.Read(context.Background(), Offset(len(all)+1), 10)
		must(m, err)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	for i, e := range all {
		if e.Offset != Offset(i+1) {
			m.Fatalf("event %d is in place %d", e.Offset, i+1)
		}
	}
	if next := l.Inspect().Next; next != Offset(len(all)+1) {
		m.Errorf("%d events are there, and the next one is %d", len(all), next)
	}
	return all
}
