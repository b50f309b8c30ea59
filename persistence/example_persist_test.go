package persistence_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

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
	Coins struct{ Count int }

	CoinsAdded struct{ Coins int }
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
	}, actor.OnCall((*jar).putIn))
}

func (j *jar) Started(ctx *actor.Context) error { return j.journal.Recover(ctx) }

func (j *jar) apply(e CoinsAdded) { j.coins += e.Coins }

func (j *jar) putIn(ctx *actor.Context, m PutIn) (Coins, error) {
	j.journal.Persist(ctx, CoinsAdded{m.Coins}) // durable and applied, or the call fails
	return Coins{j.coins}, nil
}

func ExampleJournal() {
	ctx := context.Background()
	store, err := persistence.Open(ctx, persistence.Config{}) // in memory; Dir keeps it on disk
	if err != nil {
		fmt.Println(err)
		return
	}
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

// The protocol of a counter, whose state is one value.
type (
	Clicks struct{}

	Click struct {
		actor.Call[Clicks, int]
		ID string // chosen by the sender, who sends the same when it tries again
	}
)

type counter struct{ state *persistence.State[int] }

func (c *counter) Started(ctx *actor.Context) error { return c.state.Load(ctx) }

func (c *counter) click(ctx *actor.Context, m Click) (int, error) {
	return persistence.SaveOnce(ctx, c.state, m.ID, func(now int) (reply, next int, err error) {
		return now + 1, now + 1, nil
	})
}

func ExampleSaveOnce() {
	ctx := context.Background()
	store, err := persistence.Open(ctx, persistence.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	system := actor.NewSystem()
	defer system.Stop(ctx)
	ref, err := actor.Spawn(system, actor.Define("counter", func() *counter {
		return &counter{persistence.NewState[int](store)}
	}, actor.OnCall((*counter).click)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"a", "b", "b"} {
		fmt.Println(actor.Ask(ctx, ref, Click{ID: id}))
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 2 <nil>
}

// Ring is a request that an alarm gets from a reminder.
type (
	Alarm struct{}

	Ring struct {
		actor.Call[Alarm, Heard]
		Text string
	}
	Heard struct{}
)

type alarm struct{ rung chan string }

func (a *alarm) ring(_ *actor.Context, m Ring) (Heard, error) {
	a.rung <- m.Text
	return Heard{}, nil // now the reminder is done
}

func ExampleRemind() {
	ctx := context.Background()
	store, err := persistence.Open(ctx, persistence.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	system := actor.NewSystem()
	defer system.Stop(ctx)
	rung := make(chan string)
	ref, err := actor.Spawn(system, actor.Define("alarm", func() *alarm { return &alarm{rung} }, actor.OnCall((*alarm).ring)))
	if err != nil {
		fmt.Println(err)
		return
	}
	reminders, err := persistence.NewReminders(store, system, persistence.ReminderConfig{Logger: slog.Default()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reminders.Close()
	soon := persistence.Schedule{First: time.Now().Add(10 * time.Millisecond)}
	err = persistence.Remind(ctx, reminders, ref, "breakfast", soon, Ring{Text: "get up"})
	fmt.Println(err)
	fmt.Println(<-rung)
	// Output:
	// <nil>
	// get up
}

// coinsAddedV1 is what CoinsAdded was in its first version.
type coinsAddedV1 struct{ Cents int }

func ExampleUpcast() {
	ctx := context.Background()
	store, err := persistence.Open(ctx, persistence.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	// What an old program has left.
	_, err = persistence.Put(ctx, store, "jar#event/00000000000000000001", []byte(`{"Cents":300}`),
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
