package actor_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

// note is a Note as another node sends it. settled counts how often the wait for it ended.
func heldNote(t *testing.T, system *actor.System, n int, begun, settled *int) actor.Delivery {
	payload, contentType := encode(t, system, Note{N: n})
	return actor.Delivery{
		Path: "subject", Message: "actor_test.Note", ContentType: contentType, Payload: payload,
		Held: func(d actor.Delivery) func() {
			if d.Path != "subject" || len(d.Payload) != len(payload) {
				t.Errorf("held: %+v", d)
			}
			*begun++
			return func() { *settled++ }
		},
	}
}

func TestADeliveryForAFullMailboxThatBlocksIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		system := newSystem(t)
		ref := spawn(t, system, script{
			options: bounded(2, mailbox.Block),
			note:    func(_ *actor.Context, m Note) error { got = append(got, m.N); return nil },
		})
		release := block(t, ref)
		var begun, settled int
		for n := range 6 {
			if err := system.Deliver(t.Context(), heldNote(t, system, n, &begun, &settled)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if begun != 4 || settled != 0 {
			t.Errorf("%d are held, %d not any more", begun, settled)
		}
		refused := heldNote(t, system, 7, &begun, &settled)
		refused.Held = nil
		codeIs(t, system.Deliver(t.Context(), refused), actor.ResourceExhausted)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answered := make(chan error, 1)
		err := system.Deliver(ctx, actor.Delivery{
			Path: "subject", Message: "actor_test.Handled", ContentType: "application/json", Payload: []byte("{}"),
			Held:  func(actor.Delivery) func() { return nil },
			Reply: func(_ any, err error) { answered <- err },
		})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		release()
		codeIs(t, <-answered, actor.DeadlineExceeded)
		synctest.Wait()
		if fmt.Sprint(got) != "[0 1 2 3 4 5]" || begun != 4 || settled != 4 {
			t.Errorf("%v were handled, %d were held, %d not any more", got, begun, settled)
		}
		if err := system.Deliver(t.Context(), heldNote(t, system, 8, &begun, &settled)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got) != 7 || begun != 4 {
			t.Errorf("%v were handled, %d were held", got, begun)
		}
	})
}

func TestADeliveryForAMailboxThatDropsIsNotHeld(t *testing.T) {
	for _, overflow := range []mailbox.Overflow{mailbox.Reject, mailbox.DropOldest} {
		synctest.Test(t, func(t *testing.T) {
			var dead letters
			system := newSystem(t, dead.option())
			release := block(t, spawn(t, system, script{options: bounded(1, overflow)}))
			var begun, settled, refused int
			for n := range 3 {
				if system.Deliver(t.Context(), heldNote(t, system, n, &begun, &settled)) != nil {
					refused++
				}
			}
			if begun != 0 || refused+len(dead.get()) != 2 {
				t.Errorf("%v: %d were held, %d refused, dead letters: %v", overflow, begun, refused, dead.get())
			}
			release()
		})
	}
}

func TestWhatIsHeldBecomesDeadLettersWithItsActor(t *testing.T) {
	for what, stop := range map[string]func(*actor.System, actor.Address) error{
		"stopped":          func(s *actor.System, a actor.Address) error { return s.StopActor(context.Background(), a) },
		"drained":          func(s *actor.System, a actor.Address) error { return s.DrainActor(context.Background(), a) },
		"the system stops": func(s *actor.System, a actor.Address) error { return s.Stop(context.Background()) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dead letters
				handled := 0
				system := newSystem(t, dead.option())
				ref := spawn(t, system, script{
					options: bounded(1, mailbox.Block),
					note:    func(*actor.Context, Note) error { handled++; return nil },
				})
				release := block(t, ref)
				var begun, settled int
				for n := range 5 {
					if err := system.Deliver(t.Context(), heldNote(t, system, n, &begun, &settled)); err != nil {
						t.Fatal(err)
					}
				}
				stopped := make(chan error, 1)
				go func() { stopped <- stop(system, ref.Address()) }()
				synctest.Wait()
				late := system.Deliver(t.Context(), heldNote(t, system, 5, &begun, &settled))
				release()
				if err := <-stopped; err != nil {
					t.Error(err)
				}
				synctest.Wait()
				all := len(dead.get()) + handled
				if late != nil {
					all++
				}
				if begun < 4 || settled != begun || all != 6 {
					t.Errorf("%d held, %d settled, %d handled, %d dead letters, %v", begun, settled, handled, len(dead.get()), late)
				}
			})
		})
	}
}

// A queue of the user's may panic where others wait.
type bombQueue struct{ mailbox.Queue[actor.Envelope] }

func (q bombQueue) Push(ctx context.Context, e actor.Envelope) error {
	if ctx.Err() == nil {
		panic("no room, no manners")
	}
	return q.Queue.Push(ctx, e)
}

func TestAQueueThatPanicsLosesWhatItWasGivenAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		system := newSystem(t, dead.option())
		ref := spawn(t, system, script{options: []actor.DefineOption{actor.Mailbox(func(dropped func(actor.Envelope)) mailbox.Queue[actor.Envelope] {
			return bombQueue{mailbox.NewBounded(1, mailbox.Block, dropped)}
		})}})
		release := make(chan struct{})
		tell(t, ref, Run{Do: func(*actor.Context) error { <-release; return nil }})
		synctest.Wait()
		var begun, settled int
		for n := range 3 {
			if err := system.Deliver(t.Context(), heldNote(t, system, n, &begun, &settled)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(dead.get()) != 2 || begun != 2 || settled != 2 {
			t.Errorf("%d held, %d settled, dead letters: %v", begun, settled, dead.get())
		}
		close(release)
	})
}

// An asker that has given up costs nothing, even if what is held before its request waits
// for ever.
func TestRequestsThatWereGivenUpAreNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := 0
		system := newSystem(t)
		release := block(t, spawn(t, system, script{
			options: bounded(1, mailbox.Block),
			note:    func(*actor.Context, Note) error { notes++; return nil },
		}))
		var begun, settled int
		for n := range 2 { // one fills the mailbox
			if err := system.Deliver(t.Context(), heldNote(t, system, n, &begun, &settled)); err != nil {
				t.Fatal(err)
			}
		}
		var over, canceled, answered atomic.Int64
		ask := func(ctx context.Context) {
			err := system.Deliver(ctx, actor.Delivery{
				Path: "subject", Message: "actor_test.Handled", ContentType: "application/json", Payload: []byte("{}"),
				Held: func(actor.Delivery) func() { return func() { over.Add(1) } },
				Reply: func(_ any, err error) {
					switch actor.CodeOf(err) {
					case actor.OK:
						answered.Add(1)
					case actor.Canceled:
						canceled.Add(1)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		const askers = 10_000
		ask(t.Context())
		for range askers {
			ctx, cancel := context.WithCancel(t.Context())
			ask(ctx)
			cancel()
		}
		ask(t.Context())
		synctest.Wait()
		if left := askers - int(canceled.Load()); left > 100 || canceled.Load() != over.Load() || answered.Load() != 0 {
			t.Errorf("%d that were given up are held, %d waits are over, %d were answered", left, over.Load(), answered.Load())
		}
		release()
		synctest.Wait()
		if notes != 2 || canceled.Load() != askers || answered.Load() != 2 || over.Load() != askers+2 || settled != begun {
			t.Errorf("%d notes, %d requests canceled, %d answered, %d waits over", notes, canceled.Load(), answered.Load(), over.Load())
		}
	})
}

// A sender on the node of the actor that waits for long is in the log, as one on another node.
func TestALongWaitForRoomIsLogged(t *testing.T) {
	const notice = "a sender waits for room in the mailbox of an actor"
	synctest.Test(t, func(t *testing.T) {
		var log lockedLog
		system := newSystem(t, actor.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		ref := spawn(t, system, script{
			options: bounded(1, mailbox.Block),
			note:    func(*actor.Context, Note) error { return nil },
		})
		release := block(t, ref)
		tell(t, ref, Note{})
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if err := actor.TellContext(t.Context(), ref, Note{}); err != nil {
					t.Error(err)
				}
			})
			waiting.Go(func() {
				if _, err := actor.Ask(t.Context(), ref, Handled{}); err != nil {
					t.Error(err)
				}
			})
		}
		<-time.After(1900 * time.Millisecond)
		synctest.Wait()
		if said := log.String(); said != "" {
			t.Errorf("too early: %s", said)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if said := log.String(); strings.Count(said, notice) != 1 || !strings.Contains(said, "actor=subject") {
			t.Errorf("it logged %s", said)
		}
		release()
		waiting.Wait()
	})
}

// lockedLog is a log that timers write to.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
