package persistence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// fill gives each account some deposits of 1, past the actors.
func fill(t testing.TB, store persistence.Store, events int, accounts ...string) {
	t.Helper()
	metadata := map[string]string{"type": "deposited", "version": "1", "content-type": "application/msgpack"}
	value, err := actor.NewMsgPack().Append(nil, Deposited{1})
	if err != nil {
		t.Fatal(err)
	}
	var batch persistence.Transaction
	commit := func() {
		if _, err := store.Commit(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = persistence.Transaction{Unsynced: true}
	}
	for _, account := range accounts {
		for n := range events {
			key := fmt.Sprintf("%s#event/%020d", account, n+1)
			batch.Then = append(batch.Then, persistence.Change{Key: key, Value: value, Metadata: metadata})
			if len(batch.Then) == 500 {
				commit()
			}
		}
	}
	commit()
}

func TestALongReplayTellsItsProgress(t *testing.T) {
	const events = 100_000
	store := newStore(t)
	fill(t, store, events, "account")
	var progress []uint64
	ref := spawn(t, newSystem(t), accounts(store, persistence.OnReplay(func(replayed, total uint64) {
		if total != events {
			t.Errorf("%d of %d", replayed, total)
		}
		progress = append(progress, replayed)
	})))
	if got := ask(t, ref, Look{}); got != (Balance{events, events}) {
		t.Errorf("%+v", got)
	}
	if len(progress) < 50 || !slices.IsSorted(progress) || progress[len(progress)-1] != events {
		t.Errorf("progress %d", progress)
	}
}

func TestManyActorsRecoverAtTheSameTime(t *testing.T) {
	const actors, events = 10_000, 10
	names := make([]string, actors)
	for i := range names {
		names[i] = fmt.Sprintf("account-%d", i)
	}
	store, system := newStore(t), newSystem(t)
	fill(t, store, events, names...)
	refs := make([]actor.Ref[Account], actors)
	begin := time.Now()
	for i, name := range names {
		refs[i] = spawn(t, system, accounts(store), actor.WithName(name))
	}
	for i, ref := range refs {
		if got := ask(t, ref, Look{}); got != (Balance{events, events}) {
			t.Fatalf("%s: %+v", names[i], got)
		}
	}
	t.Logf("%d actors with %d events each recovered in %v", actors, events, time.Since(begin))
}

// BenchmarkReplay measures Recover against reading the same records with List.
func BenchmarkReplay(b *testing.B) {
	const events = 100_000
	store, system := newStore(b), newSystem(b)
	fill(b, store, events, "account")
	list := func() {
		after := ""
		for {
			page, err := store.List(b.Context(), persistence.Query{Prefix: "account#event/", After: after, Limit: 1024})
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				return
			}
			after = page[len(page)-1].Key
		}
	}
	recover := func() {
		ref := spawn(b, system, accounts(store))
		ask(b, ref, Look{})
		stop(b, system, ref)
	}
	var bare, whole time.Duration
	for b.Loop() {
		begin := time.Now()
		list()
		middle := time.Now()
		recover()
		bare += middle.Sub(begin)
		whole += time.Since(middle)
	}
	perSecond := func(d time.Duration) float64 { return float64(events*b.N) / d.Seconds() }
	b.ReportMetric(perSecond(bare), "listed/s")
	b.ReportMetric(perSecond(whole), "replayed/s")
	b.ReportMetric(bare.Seconds()/whole.Seconds(), "of-List")
}
