package persistence_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// A protocol, and the events of its actor. See demo/bank for a whole program.
type (
	Jar struct{}

	PutIn struct {
		actor.Call[Jar, Coins]
		Coins int
	}
	TakeOut struct {
		actor.Call[Jar, Coins]
		actor.Idempotent // may be sent again: it has an ID
		ID               string
		Coins            int
	}
	Coins struct{ Count int }

	CoinsAdded struct{ Coins int } // taken out if below 0
)

// jar is an actor whose state is what its events make of it.
type jar struct {
	journal *persistence.Journal[CoinsAdded]
	coins   int
}

func jars(store persistence.Store) actor.Definition[Jar] {
	return actor.Define("jar", func() *jar {
		j := new(jar)
		j.journal = persistence.NewJournal(store, j.apply,
			persistence.EventType[CoinsAdded]("coins added"),
			persistence.SnapshotEvery(100, func() int { return j.coins }, func(coins int) { j.coins = coins }))
		return j
	}, actor.OnCall((*jar).putIn), actor.OnCall((*jar).takeOut))
}

func (j *jar) Started(ctx *actor.Context) error { return j.journal.Recover(ctx) }

func (j *jar) apply(e CoinsAdded) { j.coins += e.Coins }

func (j *jar) putIn(ctx *actor.Context, m PutIn) (Coins, error) {
	j.journal.Persist(ctx, CoinsAdded{m.Coins}) // durable and applied, or the call fails
	return Coins{j.coins}, nil
}

func (j *jar) takeOut(ctx *actor.Context, m TakeOut) (Coins, error) {
	return persistence.PersistOnce(ctx, j.journal, m.ID, func() (Coins, []CoinsAdded, error) {
		if m.Coins > j.coins {
			return Coins{}, nil, actor.Errorf(actor.FailedPrecondition, "there are only %d coins", j.coins)
		}
		return Coins{j.coins - m.Coins}, []CoinsAdded{{-m.Coins}}, nil
	})
}

func ExampleJournal() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	for range 2 { // twice the same, as after a restart
		system := actor.NewSystem()
		ref, err := actor.Spawn(system, jars(store))
		if err != nil {
			fmt.Println(err)
			return
		}
		coins, err := actor.Ask(ctx, ref, PutIn{Coins: 3})
		fmt.Println(coins.Count, err)
		system.Stop(ctx)
	}
	// Output:
	// 3 <nil>
	// 6 <nil>
}

// A message that its sender sends again, with the same ID, is answered as it was the
// first time, and changes nothing.
func ExamplePersistOnce() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	system := actor.NewSystem()
	defer system.Stop(ctx)
	ref, err := actor.Spawn(system, jars(store))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(actor.Ask(ctx, ref, PutIn{Coins: 5}))
	fmt.Println(actor.Ask(ctx, ref, TakeOut{ID: "a", Coins: 2}))
	fmt.Println(actor.Ask(ctx, ref, TakeOut{ID: "a", Coins: 2}))
	fmt.Println(actor.Ask(ctx, ref, TakeOut{ID: "b", Coins: 2}))
	// Output:
	// {5} <nil>
	// {3} <nil>
	// {3} <nil>
	// {1} <nil>
}

// With a snapshot every ten events, of which two are kept, no more than ten events are
// applied when the actor comes back; those before the older snapshot are deleted.
func ExampleSnapshotEvery() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	definition := actor.Define("jar", func() *jar {
		j := new(jar)
		j.journal = persistence.NewJournal(store, j.apply,
			persistence.EventType[CoinsAdded]("coins added"),
			persistence.SnapshotEvery(10, func() int { return j.coins }, func(coins int) { j.coins = coins }),
			persistence.KeepSnapshots(2),
			persistence.DeleteOldEvents(),
			persistence.OnReplay(func(replayed, total uint64) { fmt.Println("replayed", replayed, "of", total) }))
		return j
	}, actor.OnCall((*jar).putIn))
	for range 2 { // twice the same, as after a restart
		system := actor.NewSystem()
		ref, err := actor.Spawn(system, definition)
		if err != nil {
			fmt.Println(err)
			return
		}
		var coins Coins
		for range 33 {
			if coins, err = actor.Ask(ctx, ref, PutIn{Coins: 1}); err != nil {
				fmt.Println(err)
			}
		}
		fmt.Println("coins", coins.Count)
		system.Stop(ctx)
	}
	// Output:
	// replayed 0 of 0
	// coins 33
	// replayed 3 of 3
	// coins 66
}

// coinsAddedV1 is what CoinsAdded was in its first version.
type coinsAddedV1 struct{ Cents int }

func ExampleUpcast() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	// What an old program has left.
	_, err := persistence.Put(ctx, store, "jar#event/00000000000000000001", []byte(`{"Cents":300}`),
		persistence.Metadata(map[string]string{"type": "coins added", "version": "1", "content-type": "application/json"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	system := actor.NewSystem()
	defer system.Stop(ctx)
	ref, err := actor.Spawn(system, actor.Define("jar", func() *jar {
		j := new(jar)
		j.journal = persistence.NewJournal(store, j.apply, persistence.EventType[CoinsAdded]("coins added",
			persistence.Upcast(1, func(old coinsAddedV1) (CoinsAdded, error) {
				return CoinsAdded{old.Cents / 100}, nil
			})))
		return j
	}, actor.OnCall((*jar).putIn)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(actor.Ask(ctx, ref, PutIn{Coins: 1}))
	// Output: {4} <nil>
}
