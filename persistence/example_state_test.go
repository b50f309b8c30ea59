package persistence_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

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
	store := openExample(ctx)
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

// The protocol of a note, whose state is replaced as a whole.
type (
	Note struct{}

	Write struct {
		actor.Call[Note, string]
		Text string
	}
)

type note struct{ state *persistence.State[string] }

func (n *note) Started(ctx *actor.Context) error { return n.state.Load(ctx) }

func (n *note) write(ctx *actor.Context, m Write) (string, error) {
	before := n.state.Value()
	n.state.Save(ctx, m.Text) // durable when it returns, or the call fails
	return before, nil
}

func ExampleState() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	definition := actor.Define("note", func() *note {
		return &note{persistence.NewState[string](store)}
	}, actor.OnCall((*note).write))
	for _, text := range []string{"milk", "milk, bread"} { // as after a restart
		system := actor.NewSystem()
		ref, err := actor.Spawn(system, definition)
		if err != nil {
			fmt.Println(err)
			return
		}
		before, err := actor.Ask(ctx, ref, Write{Text: text})
		fmt.Printf("%q %v\n", before, err)
		system.Stop(ctx)
	}
	// Output:
	// "" <nil>
	// "milk" <nil>
}
