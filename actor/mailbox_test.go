package actor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

func bounded(n int, o mailbox.Overflow) []actor.DefineOption {
	return []actor.DefineOption{actor.BoundedMailbox(n, o)}
}

func nothing(*actor.Context) error { return nil }

func TestFullMailboxRejects(t *testing.T) {
	ref := spawn(t, newSystem(t), script{options: bounded(2, mailbox.Reject)})
	release := block(t, ref)
	run(t, ref, nothing)
	run(t, ref, nothing)
	e := codeIs(t, actor.Tell(ref, Run{Do: nothing}), actor.ResourceExhausted)
	if !e.NotRun {
		t.Error("it did not run")
	}
	codeIs(t, actor.TellContext(t.Context(), ref, Run{Do: nothing}), actor.ResourceExhausted)
	_, err := actor.Ask(t.Context(), ref, Handled{})
	codeIs(t, err, actor.ResourceExhausted)
	release()
}

func TestFullMailboxBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{options: bounded(1, mailbox.Block)})
		release := block(t, ref)
		run(t, ref, nothing)
		codeIs(t, actor.Tell(ref, Run{Do: nothing}), actor.ResourceExhausted) // Tell never waits

		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		start := time.Now()
		err := actor.TellContext(ctx, ref, Run{Do: nothing})
		if e := codeIs(t, err, actor.DeadlineExceeded); !e.NotRun || !errors.Is(err, why) {
			t.Errorf("%+v", e)
		}
		if d := time.Since(start); d != time.Second {
			t.Error("waited", d)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = actor.Ask(ctx, ref, Handled{})
		if e := codeIs(t, err, actor.DeadlineExceeded); !e.NotRun {
			t.Errorf("it was not queued: %+v", e)
		}

		waited := make(chan error, 2)
		go func() { waited <- actor.TellContext(context.Background(), ref, Run{Do: nothing}) }()
		go func() { _, err := actor.Ask(context.Background(), ref, Handled{}); waited <- err }()
		synctest.Wait()
		release()
		for range 2 {
			if err := <-waited; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStopWakesThoseThatWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{options: bounded(1, mailbox.Block)})
		release := block(t, ref)
		run(t, ref, nothing)
		waited := make(chan error, 1)
		go func() { _, err := actor.Ask(context.Background(), ref, Handled{}); waited <- err }()
		synctest.Wait()
		go system.StopActor(context.Background(), ref)
		synctest.Wait()
		release()
		if e := codeIs(t, <-waited, actor.NotFound); !e.NotRun {
			t.Error("it did not run")
		}
	})
}

func TestFullMailboxDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		var got []int
		ref := spawn(t, newSystem(t, dead.option()), script{
			options: bounded(2, mailbox.DropOldest),
			note:    func(_ *actor.Context, m Note) error { got = append(got, m.N); return nil },
		})
		release := block(t, ref)
		dropped := make(chan error, 1)
		go func() { _, err := actor.Ask(context.Background(), ref, Handled{}); dropped <- err }()
		synctest.Wait()
		for n := range 4 {
			tell(t, ref, Note{N: n})
		}
		if e := codeIs(t, <-dropped, actor.ResourceExhausted); !e.NotRun {
			t.Error("it did not run")
		}
		release()
		synctest.Wait()
		all := dead.get()
		if len(all) != 2 || all[0].Message != (Note{N: 0}) || all[1].Message != (Note{N: 1}) || all[0].Reason.Code != actor.ResourceExhausted {
			t.Errorf("%+v", all)
		}
		if !equal(got, []int{2, 3}) {
			t.Error(got)
		}
	})
}

func TestMailboxOfTheUser(t *testing.T) {
	made := 0
	ref := spawn(t, newSystem(t), script{options: []actor.DefineOption{
		actor.Mailbox(func(func(actor.Envelope)) mailbox.Queue[actor.Envelope] {
			made++
			return mailbox.NewUnbounded[actor.Envelope]()
		})}})
	handled(t, ref)
	if made != 1 {
		t.Error(made)
	}
}

func TestLifecycleWorksWhenTheMailboxIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		system := newSystem(t, dead.option())
		ref := spawn(t, system, script{options: bounded(1, mailbox.Reject)})
		release := block(t, ref)
		run(t, ref, nothing)
		stopped := make(chan error, 1)
		go func() { stopped <- system.StopActor(context.Background(), ref) }()
		synctest.Wait()
		release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if all := dead.get(); len(all) != 1 || all[0].Reason.Code != actor.Unavailable || !all[0].Reason.NotRun {
			t.Errorf("%+v", all)
		}
	})
}

func TestAnImpatientEnvelopeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		ref := spawn(t, newSystem(t), script{
			options: bounded(1, mailbox.Block),
			note:    func(_ *actor.Context, m Note) error { got = append(got, m.N); return nil },
		})
		var kept actor.Envelope
		keeper := actor.NewRef[Lab](keeping{ref.Address().Recipient(), &kept})
		release := block(t, ref)
		for n := range 2 {
			if err := actor.TellContext(context.Background(), keeper, Note{N: n}); err != nil {
				t.Fatal(err)
			}
			err := ref.Address().Recipient().Tell(kept.Impatient())
			if n == 0 && err != nil {
				t.Error("with room:", err)
			}
			if n == 1 {
				codeIs(t, err, actor.Canceled)
			}
		}
		release()
		synctest.Wait()
		if !equal(got, []int{0}) {
			t.Error(got)
		}
	})
}

// keeping keeps what it is told.
type keeping struct {
	actor.Recipient
	kept *actor.Envelope
}

func (k keeping) Tell(e actor.Envelope) error { *k.kept = e; return nil }
