package persistence_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// openExample opens the store of an example.
func openExample(ctx context.Context) persistence.Store {
	store, err := badger.Open(ctx, badger.Config{}) // in memory; Dir keeps it on disk
	if err != nil {
		panic(err)
	}
	return store
}

func ExampleNamespace() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	bank := persistence.Namespace(store, "bank")
	shop := persistence.Namespace(store, "shop")
	fmt.Println(persistence.Put(ctx, bank, "ada", []byte("100")))
	_, err := shop.Get(ctx, "ada")
	fmt.Println(errors.Is(err, persistence.ErrNotFound))
	// Output:
	// 1 <nil>
	// true
}

func ExampleOf() {
	type session struct{ User string }
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	sessions := persistence.Of[session](store, "session/")
	_, err := sessions.Put(ctx, "17", session{User: "ada"}, persistence.TTL(time.Hour))
	fmt.Println(err)
	entry, err := sessions.Update(ctx, "17", func(s session) (session, error) {
		s.User = "grace"
		return s, nil
	}, persistence.TTL(time.Hour))
	fmt.Println(entry.Value.User, entry.Revision, err)
	// Output:
	// <nil>
	// grace 2 <nil>
}

// Two changes that happen together, if nobody has touched either record.
func ExampleTransaction() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	revision, err := persistence.Put(ctx, store, "left", []byte("apple"))
	fmt.Println(revision, err)
	move := persistence.Transaction{
		If: []persistence.Condition{
			{Key: "left", Revision: revision},
			{Key: "right", Revision: 0}, // there is none
		},
		Then: []persistence.Change{
			{Key: "left", Delete: true},
			{Key: "right", Value: []byte("apple")},
		},
	}
	fmt.Println(store.Commit(ctx, move))
	_, err = store.Commit(ctx, move) // does not hold any more
	fmt.Println(errors.Is(err, persistence.ErrConflict))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// true
}

func ExampleCompareAndSwap() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	first, err := persistence.CompareAndSwap(ctx, store, "leader", 0, []byte("node-1")) // 0: there is none
	fmt.Println(first, err)
	_, err = persistence.CompareAndSwap(ctx, store, "leader", 0, []byte("node-2"))
	fmt.Println(errors.Is(err, persistence.ErrConflict))
	fmt.Println(persistence.CompareAndSwap(ctx, store, "leader", first, []byte("node-2")))
	// Output:
	// 1 <nil>
	// true
	// 2 <nil>
}

// Pages of a list: each goes on after the last key of the one before.
func ExampleQuery() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	for _, key := range []string{"fruit/apple", "fruit/cherry", "fruit/fig", "nut/almond"} {
		if _, err := persistence.Put(ctx, store, key, nil); err != nil {
			fmt.Println(err)
		}
	}
	page := persistence.Query{Prefix: "fruit/", Limit: 2, KeysOnly: true}
	for {
		records, err := store.List(ctx, page)
		if err != nil || len(records) == 0 {
			fmt.Println(err)
			return
		}
		for _, r := range records {
			fmt.Println(r.Key)
		}
		page.After = records[len(records)-1].Key
	}
	// Output:
	// fruit/apple
	// fruit/cherry
	// fruit/fig
	// <nil>
}

// A program that shows how things are reads them once, and follows their changes.
func ExampleCurrent() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	lights := persistence.Of[string](store, "light/")
	put := func(key, value string) {
		if _, err := lights.Put(ctx, key, value); err != nil {
			fmt.Println(err)
		}
	}
	put("hall", "on")
	put("porch", "off")
	now, after, err := lights.Current(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range now {
		fmt.Println(e.Key, "is", e.Value)
	}
	put("porch", "on")
	for events, err := range lights.Watch(ctx, after) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, e := range events.Events {
			fmt.Println(e.Key, "is", e.Value, "now")
		}
		break
	}
	// Output:
	// hall is on
	// porch is off
	// porch is on now
}

// A watcher remembers the last revision that it has seen, and goes on from there.
func ExampleStore_watch() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	watch := func(after persistence.Revision, most int) persistence.Revision {
		for changes, err := range store.Watch(ctx, "light/", after) {
			if err != nil { // ErrHistoryGone: begin with Current
				fmt.Println(err)
				return after
			}
			for _, c := range changes.Changes {
				fmt.Println(changes.Revision, c.Key, string(c.Value), c.Delete)
			}
			after = changes.Revision
			if most--; most == 0 {
				break
			}
		}
		return after
	}
	put := func(key, value string) {
		if _, err := persistence.Put(ctx, store, key, []byte(value)); err != nil {
			fmt.Println(err)
		}
	}
	put("light/hall", "on")
	put("heating", "low")
	put("light/hall", "off")
	seen := watch(0, 1)
	fmt.Println("and later:")
	watch(seen, 1)
	// Output:
	// 1 light/hall on false
	// and later:
	// 3 light/hall off false
}
