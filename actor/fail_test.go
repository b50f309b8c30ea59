package actor_test

import (
	"errors"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

var errStoreFull = actor.NewError(actor.ResourceExhausted, "store is full")

func TestFailTellsTheCallerWhyAndLetsSupervisionDecide(t *testing.T) {
	failures := make(chan any, 2)
	ref := spawn(t, newSystem(t), script{options: supervised(actor.Supervision{Decide: func(failure any) actor.Directive {
		failures <- failure
		return actor.Restart
	}})})
	wentOn := false
	fail := func(reason error) error {
		_, err := compute(ref, func(ctx *actor.Context) (any, error) {
			ctx.Fail(reason)
			wentOn = true
			return nil, nil
		})
		return err
	}
	err := fail(errStoreFull)
	if codeIs(t, err, actor.ResourceExhausted); !errors.Is(err, errStoreFull) || wentOn {
		t.Errorf("the caller got %v; the handler went on: %v", err, wentOn)
	}
	if err, _ := (<-failures).(error); !errors.Is(err, errStoreFull) {
		t.Errorf("supervision got %v", err)
	}
	if e := codeIs(t, fail(&actor.Error{Code: actor.Unavailable, NotRun: true}), actor.Unavailable); e.NotRun {
		t.Error("the handler did run")
	}
	codeIs(t, fail(nil), actor.Internal)
}
