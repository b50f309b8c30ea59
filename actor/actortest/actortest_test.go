package actortest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/actortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Till is the protocol of the actor under test.
type Till struct{}

// Sell is told, and answered by a Sold to the one it names.
type Sell struct {
	actor.Cast[Till]
	Price  int
	Report actor.Ref[Office]
}

// Ignored has no handler.
type Ignored struct{ actor.Cast[Till] }

// Office is the protocol of whoever gets the reports.
type Office struct{}

// Sold is a report.
type Sold struct {
	actor.Cast[Office]
	Total int
}

type till struct{ total int }

func (c *till) sell(_ *actor.Context, m Sell) error {
	c.total += m.Price
	return actor.Tell(m.Report, Sold{Total: c.total})
}

func newTill(t testing.TB, system *actor.System) actor.Ref[Till] {
	t.Helper()
	ref, err := actor.Spawn(system, actor.Define("till", func() *till { return &till{} }, actor.OnCast((*till).sell)))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestInboxKeepsTheOrder(t *testing.T) {
	system := actortest.NewSystem(t)
	office := actortest.NewInbox[Office, Sold](t, system)
	ref := newTill(t, system)
	for range 100 {
		if err := actor.Tell(ref, Sell{Price: 1, Report: office.Ref()}); err != nil {
			t.Fatal(err)
		}
	}
	for want := 1; want <= 100; want++ {
		if got, err := office.Next(t.Context()); err != nil || got.Total != want {
			t.Fatal(got, err, want)
		}
	}
	if n := office.Len(); n != 0 {
		t.Error("left:", n)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := actortest.NewInbox[Office, Sold](t, actortest.NewSystem(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := office.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(got, err)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost actortest.DeadLetters
		system := actortest.NewSystem(t, lost.Option())
		ref := newTill(t, system)
		if err := actor.Tell(ref, Ignored{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if all := lost.All(); len(all) != 1 || all[0].Reason.Code != actor.Unimplemented {
			t.Errorf("%+v", all)
		}
	})
}

// recorder stands in for a test that may fail.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   []any
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any) { r.errors = append(r.errors, args...) }

func TestActorsThatDoNotEndFailTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		system := actortest.NewSystem(r)
		ref, err := actor.Spawn(system, actor.Define("stuck", func() chan struct{} { return make(chan struct{}) },
			actor.OnCast(func(c chan struct{}, ctx *actor.Context, _ Sold) error { <-ctx.Done(); return nil })))
		if err != nil {
			t.Fatal(err)
		}
		if err := actor.Tell(ref, Sold{}); err != nil {
			t.Fatal(err)
		}
		r.cleanups[0]()
		if len(r.errors) != 1 || !strings.Contains(r.errors[0].(error).Error(), "stuck") {
			t.Error(r.errors)
		}
		if err := system.Stop(context.Background()); err != nil { // which logs no more
			t.Error(err)
		}
	})
}
