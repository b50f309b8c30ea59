package actor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Account is a protocol.
type Account struct{}

// Deposit is told.
type Deposit struct {
	actor.Cast[Account]
	Cents int
}

// Withdraw is asked, and answered by the new balance.
type Withdraw struct {
	actor.Call[Account, Balance]
	Cents int
}

// Balance is the reply to Withdraw.
type Balance struct{ Cents int }

// ErrNotEnough is recognised by errors.Is on either side of the network.
var ErrNotEnough = actor.NewError(actor.FailedPrecondition, "not enough money")

type account struct{ cents int } // owned by one actor: no locks

func (a *account) deposit(_ *actor.Context, m Deposit) error {
	a.cents += m.Cents
	return nil
}

func (a *account) withdraw(_ *actor.Context, m Withdraw) (Balance, error) {
	if m.Cents > a.cents {
		return Balance{}, fmt.Errorf("%d of %d: %w", m.Cents, a.cents, ErrNotEnough)
	}
	a.cents -= m.Cents
	return Balance{a.cents}, nil
}

func defineAccount() actor.Definition[Account] {
	return actor.Define("account", func() *account { return new(account) },
		actor.OnCast((*account).deposit),
		actor.OnCall((*account).withdraw))
}

// quiet keeps the log out of the examples.
func quiet() actor.SystemOption {
	return actor.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func Example() {
	ctx := context.Background()
	system := actor.NewSystem()
	defer system.Stop(ctx)

	account, err := actor.Spawn(system, defineAccount())
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := actor.Tell(account, Deposit{Cents: 500}); err != nil {
		fmt.Println(err)
	}
	balance, err := actor.Ask(ctx, account, Withdraw{Cents: 120})
	fmt.Println(balance.Cents, err)
	// Output: 380 <nil>
}

func ExampleNewError() {
	ctx := context.Background()
	system := actor.NewSystem()
	defer system.Stop(ctx)
	account, _ := actor.Spawn(system, defineAccount())

	_, err := actor.Ask(ctx, account, Withdraw{Cents: 120})
	fmt.Println(err)
	fmt.Println(errors.Is(err, ErrNotEnough), errors.Is(err, actor.FailedPrecondition))
	// Output:
	// failed precondition: 120 of 0: failed precondition: not enough money
	// true true
}

// Reader is the protocol of an actor that sometimes crashes.
type Reader struct{}

// Read is answered by the number of the line.
type Read struct {
	actor.Call[Reader, int]
	Broken bool
}

type reader struct{ line int }

func (r *reader) read(_ *actor.Context, m Read) (int, error) {
	if m.Broken {
		panic("cannot read this")
	}
	r.line++
	return r.line, nil
}

func ExampleSupervised() {
	ctx := context.Background()
	system := actor.NewSystem(quiet())
	defer system.Stop(ctx)

	definition := actor.Define("reader", func() *reader { return new(reader) }, actor.OnCall((*reader).read))
	reader, _ := actor.Spawn(system, definition.With(actor.Supervised(actor.Supervision{
		MaxRestarts: 5, // within a minute; then the actor is stopped
	})))

	for _, broken := range []bool{false, false, true, false} {
		line, err := actor.Ask(ctx, reader, Read{Broken: broken})
		fmt.Println(line, actor.CodeOf(err))
	}
	// Output:
	// 1 ok
	// 2 ok
	// 0 internal
	// 1 ok
}

// Team is the protocol of an actor that watches others.
type Team struct{}

// Add asks the team to watch a player.
type Add struct {
	actor.Call[Team, bool]
	Player actor.Ref[Account]
}

type team struct{ lost chan<- actor.Terminated }

func (t *team) add(ctx *actor.Context, m Add) (bool, error) { return true, ctx.Watch(m.Player) }

// Terminated makes a team an actor.Watcher.
func (t *team) Terminated(_ *actor.Context, ended actor.Terminated) { t.lost <- ended }

func ExampleContext_Watch() {
	ctx := context.Background()
	system := actor.NewSystem()
	defer system.Stop(ctx)

	lost := make(chan actor.Terminated, 1)
	team, _ := actor.Spawn(system, actor.Define("team", func() *team { return &team{lost} }, actor.OnCall((*team).add)))
	player, _ := actor.Spawn(system, defineAccount())

	_, _ = actor.Ask(ctx, team, Add{Player: player})
	_ = system.StopActor(ctx, player)
	ended := <-lost
	fmt.Println(ended.Who == player.Address(), ended.Reason)
	// Output: true <nil>
}

// Kitchen is a protocol whose answers take their time.
type Kitchen struct{}

// Cook is answered when the meal is ready.
type Cook struct {
	actor.Call[Kitchen, string]
	Dish string
}

type kitchen struct{}

// cook is free for the next order at once, and answers later.
func (kitchen) cook(ctx *actor.Context, m Cook) (string, error) {
	reply, later := actor.ReplyLater[string](ctx)
	go func() { reply.Send("hot "+m.Dish, nil) }()
	return "", later
}

func ExampleReplyLater() {
	ctx := context.Background()
	system := actor.NewSystem()
	defer system.Stop(ctx)

	kitchen, _ := actor.Spawn(system, actor.Define("kitchen", func() kitchen { return kitchen{} }, actor.OnCall(kitchen.cook)))
	meal, err := actor.Ask(ctx, kitchen, Cook{Dish: "soup"})
	fmt.Println(meal, err)
	// Output: hot soup <nil>
}

// Door is a protocol.
type Door struct{}

// Enter is answered when the door is open.
type Enter struct {
	actor.Call[Door, string]
	Name string
}

// Open is told.
type Open struct{ actor.Cast[Door] }

type door struct{ open bool }

func (d *door) enter(ctx *actor.Context, m Enter) (string, error) {
	if !d.open {
		return "", ctx.Stash() // whoever asks waits
	}
	return "welcome, " + m.Name, nil
}

func (d *door) opens(ctx *actor.Context, _ Open) error {
	d.open = true
	ctx.Unstash()
	return nil
}

func ExampleContext_Stash() {
	ctx := context.Background()
	system := actor.NewSystem()
	defer system.Stop(ctx)

	door, _ := actor.Spawn(system, actor.Define("door", func() *door { return new(door) },
		actor.OnCall((*door).enter),
		actor.OnCast((*door).opens)))
	go func() { _ = actor.Tell(door, Open{}) }()
	reply, err := actor.Ask(ctx, door, Enter{Name: "Ada"})
	fmt.Println(reply, err)
	// Output: welcome, Ada <nil>
}

// Clock is a protocol.
type Clock struct{}

// Beat comes from the clock's own timer.
type Beat struct{ actor.Cast[Clock] }

type clock struct {
	beats int
	timer *actor.Timer
	done  chan<- int
}

// Started makes a clock an actor.Starter.
func (c *clock) Started(ctx *actor.Context) error {
	c.timer = actor.Every(ctx, time.Millisecond, Beat{})
	return nil
}

func (c *clock) beat(*actor.Context, Beat) error {
	if c.beats++; c.beats == 3 {
		c.timer.Stop()
		c.done <- c.beats
	}
	return nil
}

func ExampleEvery() {
	system := actor.NewSystem()
	defer system.Stop(context.Background())

	done := make(chan int)
	if _, err := actor.Spawn(system, actor.Define("clock", func() *clock { return &clock{done: done} },
		actor.OnCast((*clock).beat))); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-done, "beats")
	// Output: 3 beats
}
