package lock

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/persistence"
)

func TestWhoHoldsAndWhatTheOthersWaitFor(t *testing.T) {
	// Each word is one in the queue: w is a writer, r a reader, n/m takes n of m
	// permits. The obstacle of each is the number of another, - for none, or * for
	// any of those before it.
	for _, c := range []struct{ queue, holders, obstacles string }{
		{"w", "1", "-"},
		{"w w w", "1", "- 0 1"},
		{"r r r", "3", "- - -"},
		{"r r w r", "2", "- - 1 2"},
		{"w r r w r", "1", "- 0 0 2 3"},
		{"r w r w", "1", "- 0 1 2"},
		{"1/3 1/3 1/3 1/3 1/3", "3", "- - - * *"},
		{"1/3 3/3 1/3", "1", "- 0 1"},
		{"2/3 1/3 2/3 1/3", "2", "- - 0 *"},
		{"1/3 1/5 1/5 1/5", "3", "- - - *"}, // the least counts
		{"1/5 1/5 1/5 1/2", "3", "- - - *"},
		{"1/3 w 1/3", "1", "- 0 1"},
		{"1/3 r r r", "3", "- - - *"},
		{"r r 2/3", "2", "- - *"},
		{"2147483647/2147483647 2147483647/2147483647", "1", "- 0"},
	} {
		q, err := newQueue("lock", lockQueues, "x")
		must(t, err)
		var l line
		for i, word := range strings.Fields(c.queue) {
			var d demand
			switch {
			case word == "w":
				d = demand{1, 1}
			case word == "r":
				d = demand{permits: 1}
			default:
				_, err := fmt.Sscanf(word, "%d/%d", &d.permits, &d.limit)
				must(t, err)
			}
			p, err := q.parsePlace(newPlace(d).in(q, 0).key, persistence.Revision(i+1))
			must(t, err)
			l = append(l, p)
		}
		if got := strconv.Itoa(l.holders()); got != c.holders {
			t.Errorf("%s: %s hold it, want %s", c.queue, got, c.holders)
		}
		var obstacles []string
		for i := range l {
			o := l.obstacle(i, q.prefix)
			switch {
			case o == "":
				o = "-"
			case o == q.prefix:
				o = "*"
			default:
				o = strconv.Itoa(l.index(o))
			}
			obstacles = append(obstacles, o)
		}
		if got := strings.Join(obstacles, " "); got != c.obstacles {
			t.Errorf("%s: they wait for %s, want %s", c.queue, got, c.obstacles)
		}
	}
}

func TestReadersAndWritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		reader1, reader2 := mustAcquire(t, a, "x", Shared()), mustAcquire(t, b, "x", Shared())
		writer := a.begin("x")
		synctest.Wait()
		late1 := b.begin("x", Shared())
		synctest.Wait()
		late2 := a.begin("x", Shared())
		synctest.Wait()
		must(t, reader2.Release(t.Context()))
		synctest.Wait()
		if writer.over() || late1.over() || late2.over() {
			t.Error("somebody did not wait for the first reader")
		}
		must(t, reader1.Release(t.Context()))
		held := writer.acquired(t)
		synctest.Wait()
		if late1.over() || late2.over() {
			t.Error("a reader did not wait for the writer")
		}
		must(t, held.Release(t.Context()))
		if l1, l2 := late1.acquired(t), late2.acquired(t); l1.Token() == l2.Token() || l2.Token() < held.Token() {
			t.Errorf("tokens %d and %d after %d", l1.Token(), l2.Token(), held.Token())
		}
	})
}

func TestPermitsGoToWhoeverAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		var held []*Lock
		for range 3 {
			held = append(held, mustAcquire(t, a, "x", Permits(1, 3)))
		}
		large := b.begin("x", Permits(2, 3))
		synctest.Wait()
		small := a.begin("x", Permits(1, 3))
		synctest.Wait()
		must(t, held[1].Release(t.Context()))
		synctest.Wait()
		if large.over() || small.over() {
			t.Error("the large one is to have the next two")
		}
		must(t, held[2].Release(t.Context()))
		l := large.acquired(t)
		synctest.Wait()
		if small.over() {
			t.Error("there are four of three")
		}
		must(t, l.Release(t.Context()))
		small.acquired(t)
	})
}

func TestAPermitIsWaitedForByOneWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		first := mustAcquire(t, a, "x", Permits(2, 2))
		var waiting []*pending
		for range 10 {
			waiting = append(waiting, a.begin("x", Permits(1, 2)))
			synctest.Wait()
		}
		if n := w.store.Stats().Watchers; n != 11 {
			t.Errorf("%d watches for a holder and ten waiters", n)
		}
		must(t, first.Release(t.Context()))
		for _, p := range waiting {
			must(t, p.acquired(t).Release(t.Context()))
		}
	})
}

func FuzzPlace(f *testing.F) {
	q, err := newQueue("lock", lockQueues, "x")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"0000000000000000.1.1.A", "00000000000000ff.1.0.A", "ffffffffffffffff.2.3.A", "", "0000000000000000.1.1", "00.1.1.A", "0000000000000000.3.2.A", "0000000000000000.-1.1.A"} {
		f.Add(q.prefix + seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		p, err := q.parsePlace(key, 1)
		if err != nil {
			return
		}
		if !p.valid() || p.key != key {
			t.Errorf("%q is %+v", key, p)
		}
		if n := (line{p, p}).holders(); n < 1 {
			t.Errorf("the first does not hold: %+v", p)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, seed := range []string{`{"node":"a","session":"s","since":"2026-01-02T03:04:05Z","value":"eA=="}`, "", "null", "[]", `{"since":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := decodeRecord("k", value)
		if err != nil {
			return
		}
		again, err := r.encode()
		must(t, err)
		if s, err := decodeRecord("k", again); err != nil || s.Node != r.Node || string(s.Value) != string(r.Value) {
			t.Errorf("%+v came back as %+v, %v", r, s, err)
		}
	})
}
