package actor_test

import (
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/actor"
)

// Knock has a handler in one behaviour only.
type Knock struct{ actor.Call[Lab, string] }

func knock(*subject, *actor.Context, Knock) (string, error) { return "come in", nil }

func TestBecome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		open := actor.NewBehavior(actor.OnCall(knock), actor.OnCall((*subject).compute))

		_, err := actor.Ask(t.Context(), ref, Knock{})
		codeIs(t, err, actor.Unimplemented)

		become := func() { do(t, ref, func(ctx *actor.Context) error { return ctx.Become(open) }) }
		become()
		if reply, err := actor.Ask(t.Context(), ref, Knock{}); reply != "come in" || err != nil {
			t.Error(reply, err)
		}
		_, err = actor.Ask(t.Context(), ref, Handled{})
		codeIs(t, err, actor.Unimplemented)

		do(t, ref, func(ctx *actor.Context) error { ctx.Unbecome(); return nil })
		handled(t, ref)
		_, err = actor.Ask(t.Context(), ref, Knock{})
		codeIs(t, err, actor.Unimplemented)

		become()
		_ = crash(ref)
		handled(t, ref) // a restart goes back to the definition
	})
}

func TestBecomeWhatDoesNotFit(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	run := actor.OnCast((*subject).run)
	for name, b := range map[string]*actor.Behavior{
		"nil":                 nil,
		"of another type":     actor.NewBehavior(actor.OnCall((*plain).run)),
		"two for one":         actor.NewBehavior(run, run),
		"of a zero Handler":   actor.NewBehavior(actor.Handler[Lab, *subject]{}),
		"a nil function":      actor.NewBehavior(actor.OnCast[*subject, Lab, Run](nil)),
		"the zero Behavior":   {},
		"of another protocol": actor.NewBehavior[userKey, *subject](),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compute(ref, func(ctx *actor.Context) (any, error) { return nil, ctx.Become(b) })
			codeIs(t, err, actor.InvalidArgument)
		})
	}
	handled(t, ref)
}

func TestErrorOfACastThatBecame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		ref := spawn(t, newSystem(t), script{started: func(*actor.Context) error { starts++; return nil }})
		run(t, ref, func(ctx *actor.Context) error {
			ctx.Unbecome()
			return actor.Aborted // is logged
		})
		synctest.Wait()
		if handled(t, ref); starts != 1 {
			t.Error("the actor crashed")
		}
	})
}
