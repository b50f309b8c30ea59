package persistence_test

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

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
	store := openExample(ctx)
	defer store.Close()
	system := actor.NewSystem()
	defer system.Stop(ctx)
	rung := make(chan string)
	ref, err := actor.Spawn(system, actor.Define("alarm", func() *alarm { return &alarm{rung} }, actor.OnCall((*alarm).ring)))
	if err != nil {
		fmt.Println(err)
		return
	}
	reminders, err := persistence.NewReminders(persistence.Namespace(store, "reminders"), system, persistence.ReminderConfig{})
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
