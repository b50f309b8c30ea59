package actor_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestDeadLettersAreCountedAndSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		system := newSystem(t, dead.option())
		ref := spawn(t, system, script{})
		tell(t, ref, Unheard{})
		synctest.Wait()
		system.DeadLetter(actor.DeadLetter{To: "actor://far/away", Name: "greet.Hello", Reason: &actor.Error{Code: actor.Unavailable}})
		if n := system.Stats().DeadLetters; n != 2 {
			t.Error("counted", n)
		}
		all := dead.get()
		if len(all) != 2 || all[0].To != ref.String() || all[0].Name != "actor_test.Unheard" || all[1].Name != "greet.Hello" {
			t.Errorf("%+v", all)
		}
	})
}

func TestPanicInTheHandlerOfDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t, actor.WithDeadLetters(func(actor.DeadLetter) { panic("no") }))
		ref := spawn(t, system, script{})
		tell(t, ref, Unheard{})
		handled(t, ref)
		system.DeadLetter(actor.DeadLetter{Reason: &actor.Error{}})
		if n := system.Stats().DeadLetters; n != 2 {
			t.Error("counted", n)
		}
	})
}

func TestDeadLettersAreLoggedInModeration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		system := actor.NewSystem(actor.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
		lose := func(n int) {
			for range n {
				system.DeadLetter(actor.DeadLetter{To: "x", Name: "y", Reason: &actor.Error{Code: actor.Unavailable}})
			}
		}
		count := func(what string) int { return strings.Count(out.String(), what) }
		lose(100)
		if n := count(`msg="dead letter"`); n != 10 {
			t.Errorf("logged %d of 100, want 10", n)
		}
		elapse(time.Second)
		lose(1)
		if count(`msg="dead letter"`) != 11 || count("count=90") != 1 {
			t.Error(out.String())
		}
		lose(20)
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if count("count=11") != 1 {
			t.Error("what was not logged must be counted at the end:", out.String())
		}
	})
}
