package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func openReplica(t testing.TB, dir string) *Replica {
	t.Helper()
	r, err := OpenReplica(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func mustApply(t testing.TB, r *Replica, entries ...Entry) [][]Outcome {
	t.Helper()
	outcomes, err := r.Apply(entries)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func putting(key, value string) persistence.Transaction {
	return persistence.Transaction{Then: []persistence.Change{{Key: key, Value: []byte(value)}}}
}

// contents is everything that two replicas must have in common.
func contents(t testing.TB, r *Replica) map[string]any {
	t.Helper()
	records, err := r.List(t.Context(), persistence.Query{})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]proposal{}
	for name, p := range r.known {
		known[name] = proposal{sequence: p.sequence, at: p.at, outcomes: plain(p.outcomes)}
	}
	return map[string]any{"records": records, "latest": r.Latest(), "applied": r.Applied(), "at": r.place.at, "known": known}
}

// plain leaves out the texts of errors, which a replica does not keep.
func plain(outcomes []Outcome) (out []Outcome) {
	for _, o := range outcomes {
		for _, known := range []error{persistence.ErrConflict, persistence.ErrInvalid} {
			if errors.Is(o.Err, known) {
				o.Err = known
			}
		}
		out = append(out, o)
	}
	return out
}

func wantSame(t testing.TB, what string, got, want map[string]any) {
	t.Helper()
	for part := range want {
		if !reflect.DeepEqual(got[part], want[part]) {
			t.Errorf("%s: %s differ:\n%v\n%v", what, part, got[part], want[part])
		}
	}
}

// entries returns random ones that overlap, conflict, expire and are proposed twice.
func randomEntries(r *rand.Rand, n int) []Entry {
	at := time.Now().Add(-time.Minute)
	var out []Entry
	sequences := map[string]uint64{}
	for i := range n {
		at = at.Add(time.Duration(r.Int64N(int64(time.Second))) - 100*time.Millisecond)
		e := Entry{Index: uint64(i + 1), At: at, Expire: r.IntN(4) == 0}
		if r.IntN(3) > 0 {
			e.From = fmt.Sprint("proposer-", r.IntN(3))
			if r.IntN(4) > 0 {
				sequences[e.From]++
			}
			e.Sequence = sequences[e.From]
		}
		for range r.IntN(6) {
			var t persistence.Transaction
			for k := range r.IntN(3) {
				c := persistence.Change{Key: fmt.Sprint("key-", k, "-", r.IntN(4)), Value: make([]byte, r.IntN(1<<r.IntN(18)))}
				c.Delete = r.IntN(4) == 0
				if r.IntN(3) == 0 {
					c.TTL = time.Duration(r.Int64N(int64(5 * time.Second)))
				}
				t.Then = append(t.Then, c)
			}
			if r.IntN(2) == 0 {
				t.If = append(t.If, persistence.Condition{Key: fmt.Sprint("key-0-", r.IntN(4)), Revision: persistence.Revision(r.IntN(n))})
			}
			e.Transactions = append(e.Transactions, t)
		}
		out = append(out, e)
	}
	return out
}

func TestEqualEntriesMakeEqualReplicas(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 1))
		entries := randomEntries(random, 60)
		dir := t.TempDir()
		a, b, c := openReplica(t, t.TempDir()), openReplica(t, ""), openReplica(t, dir)
		want := mustApply(t, a, entries...)
		for i, e := range entries {
			got := mustApply(t, b, e)
			if !reflect.DeepEqual(plain(got[0]), plain(want[i])) {
				t.Fatalf("seed %d: entry %d has the outcomes %v on its own and %v among others", seed, i, got[0], want[i])
			}
			mustApply(t, c, entries[:i+1]...) // most of them again
			switch random.IntN(10) {
			case 0:
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				c = openReplica(t, dir)
			case 1:
				var snapshot bytes.Buffer
				index, err := c.Snapshot(t.Context(), &snapshot)
				if err != nil || index != e.Index {
					t.Fatal(index, err)
				}
				if err := c.Install(t.Context(), &snapshot); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantSame(t, fmt.Sprint("seed ", seed, ", one at a time"), contents(t, b), contents(t, a))
		wantSame(t, fmt.Sprint("seed ", seed, ", opened again and installed"), contents(t, c), contents(t, a))
	}
}

func TestAnEntryCutInTwoIsCompleted(t *testing.T) {
	r := openReplica(t, "")
	var e Entry
	for i := range 5 { // each is a transaction of Badger, since they change one key
		e.Transactions = append(e.Transactions, putting("key", fmt.Sprint(i)))
	}
	e.Index, e.From, e.Sequence = 1, "me", 1
	// As if a crash had come after the second of them.
	cut := e
	cut.Transactions = e.Transactions[:2]
	r.place.begin(&e)
	_, err := r.store.submit(t.Context(), false, func(b *batch) (persistence.Revision, error) {
		b.place = r.place.encode
		for _, transaction := range cut.Transactions {
			o, err := b.outcome(&transaction)
			if err != nil {
				return 0, err
			}
			r.place.done = append(r.place.done, o)
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.adopt(r.store); err != nil {
		t.Fatal(err)
	}
	if r.Applied() != 0 || len(r.place.done) != 2 {
		t.Fatalf("the replica is at entry %d with %d outcomes of the next", r.Applied(), len(r.place.done))
	}
	got := mustApply(t, r, e)[0]
	want := []Outcome{{Revision: 2}, {Revision: 3}, {Revision: 4}, {Revision: 5}, {Revision: 6}}
	if !reflect.DeepEqual(got, want) || r.Latest() != 6 || r.Applied() != 1 {
		t.Errorf("the outcomes are %v, the latest revision is %d", got, r.Latest())
	}
	record, err := r.Get(t.Context(), "key")
	if err != nil || string(record.Value) != "4" {
		t.Errorf("key is %s, %v", record.Value, err)
	}
}

func TestAProposalIsAppliedOnce(t *testing.T) {
	dir := t.TempDir()
	r := openReplica(t, dir)
	entry := func(index, sequence uint64, ts ...persistence.Transaction) Entry {
		return Entry{Index: index, From: "me", Sequence: sequence, At: time.Now(), Transactions: ts}
	}
	failing := persistence.Transaction{If: []persistence.Condition{{Key: "a", Revision: 99}}}
	first := mustApply(t, r, entry(1, 1, putting("a", "1"), failing))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openReplica(t, dir)
	again := mustApply(t, r, entry(2, 1, putting("a", "2"), failing), entry(3, 2, putting("b", "1")), entry(4, 1, putting("a", "3")))
	if !reflect.DeepEqual(plain(again[0]), plain(first[0])) {
		t.Errorf("proposed again, the outcomes are %v, not %v", again[0], first[0])
	}
	if again[1][0].Err != nil || again[2] != nil {
		t.Errorf("later outcomes are %v", again[1:])
	}
	if record, err := r.Get(t.Context(), "a"); err != nil || string(record.Value) != "1" {
		t.Errorf("a is %q, %v", record.Value, err)
	}
}

func TestAReplicaExpiresByItsEntriesAlone(t *testing.T) {
	r := openReplica(t, "")
	start := time.Now()
	short := persistence.Transaction{Then: []persistence.Change{{Key: "k", TTL: time.Minute}}}
	mustApply(t, r, Entry{Index: 1, At: start, Transactions: []persistence.Transaction{short}})
	due, ok := r.NextExpiry()
	if !ok || !due.Equal(start.Add(time.Minute)) {
		t.Fatalf("the next expiry is %v, %v", due, ok)
	}
	mustApply(t, r, Entry{Index: 2, At: start.Add(time.Second), Expire: true})
	if _, err := r.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	mustApply(t, r, Entry{Index: 3, At: due, Expire: true})
	if _, err := r.Get(t.Context(), "k"); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("Get returns %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for changes, err := range r.Watch(ctx, "", 2) {
		if err != nil || !changes.Changes[0].Expired || !changes.Changes[0].Delete {
			t.Errorf("a watcher is told %v, %v", changes, err)
		}
		break
	}
	if _, ok := r.NextExpiry(); ok {
		t.Error("something is still to expire")
	}
}

func TestWatchersGoOnOverASnapshot(t *testing.T) {
	from, to := openReplica(t, ""), openReplica(t, t.TempDir())
	for i := range uint64(5) {
		mustApply(t, from, Entry{Index: i + 1, Transactions: []persistence.Transaction{putting("a", fmt.Sprint(i))}})
	}
	mustApply(t, to, Entry{Index: 1, Transactions: []persistence.Transaction{putting("a", "0")}})
	ended := make(chan error, 2)
	watch := func(after persistence.Revision) {
		for changes, err := range to.Watch(t.Context(), "", after) {
			if err != nil || changes.Revision == 7 {
				ended <- err
				return
			}
		}
	}
	go watch(2)
	var snapshot bytes.Buffer
	if _, err := from.Snapshot(t.Context(), &snapshot); err != nil {
		t.Fatal(err)
	}
	whole := snapshot.Bytes()
	for _, cut := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
		if err := to.Install(t.Context(), bytes.NewReader(whole[:cut])); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("Install of the first %d bytes returns %v", cut, err)
		}
	}
	if err := to.Install(t.Context(), bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, persistence.ErrHistoryGone) {
		t.Errorf("the watcher of what is in the snapshot got %v", err)
	}
	go watch(6)
	mustApply(t, to, Entry{Index: 6, Transactions: []persistence.Transaction{putting("b", "")}})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestChangesTellHowFarTheyHaveBeenLookedFor(t *testing.T) {
	r := openReplica(t, "")
	const last = 1001 // the first revision is empty
	for i := range uint64(last - 1) {
		key := "other"
		if i == 500 {
			key = "wanted"
		}
		mustApply(t, r, Entry{Index: i + 1, Transactions: []persistence.Transaction{putting(key, "")}})
	}
	var found []persistence.Revision
	calls := 0
	for after := persistence.Revision(1); after < last; calls++ {
		changes, reached, err := r.Changes(t.Context(), "wanted", after)
		if err != nil || reached <= after {
			t.Fatalf("after revision %d: %d, %v", after, reached, err)
		}
		for _, c := range changes {
			found = append(found, c.Revision)
		}
		after = reached
	}
	if !slices.Equal(found, []persistence.Revision{502}) || calls < 2 {
		t.Errorf("the changes found by %d calls are %v", calls, found)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() {
		_, reached, err := r.Changes(ctx, "wanted", last)
		if reached != last {
			t.Errorf("nothing has happened, and it has looked up to %d", reached)
		}
		waited <- err
	}()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func TestABackupIsNoSnapshotAndTheOtherWayRound(t *testing.T) {
	r := openReplica(t, "")
	s, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var backup, snapshot bytes.Buffer
	if _, err := s.Backup(t.Context(), &backup, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Snapshot(t.Context(), &snapshot); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), &snapshot); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("Restore returns %v", err)
	}
	if err := r.Install(t.Context(), &backup); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("Install returns %v", err)
	}
}

func TestAReplicaTakesLargeValuesAgainAndAgain(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		r := openReplica(t, dir)
		value := string(make([]byte, maxReplicated-1000))
		for i := range uint64(20) {
			e := Entry{Index: i + 1, Transactions: []persistence.Transaction{putting("a", value), putting("b", value), putting("a", value)}}
			for _, transaction := range e.Transactions {
				if err := r.Admit(&transaction); err != nil {
					t.Fatal(err)
				}
			}
			for _, o := range mustApply(t, r, e)[0] {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
			}
		}
		large := putting("a", value+value)
		if err := r.Admit(&large); !errors.Is(err, persistence.ErrInvalid) {
			t.Errorf("Admit returns %v", err)
		}
	}
}

func TestPagesComeFromOneRevision(t *testing.T) {
	r := openReplica(t, "")
	index := uint64(0)
	put := func(key, value string) {
		index++
		mustApply(t, r, Entry{Index: index, Transactions: []persistence.Transaction{putting(key, value)}})
	}
	for i := range 100 {
		put(fmt.Sprintf("%03d", i), "old")
	}
	var got []persistence.Record
	var page Page
	var err error
	for q := (persistence.Query{}); ; q.After = got[len(got)-1].Key {
		if page, err = r.ListPage(t.Context(), q, 2000, page); err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Records...)
		if !page.More {
			break
		}
		for i := range 100 {
			put(fmt.Sprintf("%03d", i), "new")
		}
		put(fmt.Sprintf("%03d", 100+index), "new")
	}
	if len(got) != 100 {
		t.Fatalf("%d records are listed", len(got))
	}
	for _, record := range got {
		if string(record.Value) != "old" {
			t.Fatalf("%s is %s", record.Key, record.Value)
		}
	}
	whole, err := r.ListPage(t.Context(), persistence.Query{Limit: 3, Descending: true}, 1<<20, Page{})
	if err != nil || len(whole.Records) != 3 || whole.More {
		t.Errorf("the last three are %v, %v", whole, err)
	}
}
