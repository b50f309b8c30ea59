package actor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
	"github.com/troupe-go/troupe/settings"
)

func TestSettingsFillASupervision(t *testing.T) {
	type config struct{ Supervision actor.Supervision }
	live, err := settings.Load[config](t.Context(), settings.Map(map[string]any{"supervision.max_restarts": 3}))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	got := live.Get().Supervision
	if got.Decide != nil || got.MaxRestarts != 3 || got.Within != time.Minute || got.MinBackoff != 10*time.Millisecond || got.MaxBackoff != 10*time.Second {
		t.Errorf("loaded %+v", got)
	}
	_, err = settings.Load[config](t.Context(), settings.Map(map[string]any{"supervision.min_backoff": "-1s"}))
	if !errors.Is(err, settings.Invalid) {
		t.Errorf("a negative pause: %v", err)
	}
}

func TestSettingsFillAKindOfActors(t *testing.T) {
	type config struct{ Accounts actor.Config }
	load := func(values map[string]any) (actor.Config, error) {
		live, err := settings.Load[config](t.Context(), settings.Map(values))
		if err != nil {
			return actor.Config{}, err
		}
		defer live.Close()
		return live.Get().Accounts, nil
	}
	unset, err := load(nil)
	if err != nil || unset.Mailbox != (mailbox.Config{}) || unset.StashLimit != 10_000 {
		t.Errorf("by default %+v, %v", unset, err)
	}
	set, err := load(map[string]any{"accounts.mailbox": map[string]any{"capacity": 1, "overflow": "drop_oldest"}})
	if err != nil || set.Mailbox != (mailbox.Config{Capacity: 1, Overflow: mailbox.DropOldest}) {
		t.Errorf("loaded %+v, %v", set, err)
	}
	for key, value := range map[string]any{"mailbox.capacity": -1, "mailbox.overflow": "explode", "stash_limit": -1, "supervision.within": "-1s"} {
		if _, err := load(map[string]any{"accounts." + key: value}); err == nil {
			t.Errorf("%s may be %v", key, value)
		}
	}
}

func TestAFullMailboxDoesWhatItsSettingsSay(t *testing.T) {
	settings := actor.Config{Mailbox: mailbox.Config{Capacity: 1, Overflow: mailbox.Reject}, StashLimit: 1}
	ref := spawn(t, newSystem(t), script{options: []actor.DefineOption{settings}})
	release := block(t, ref)
	run(t, ref, nothing)
	codeIs(t, actor.Tell(ref, Run{Do: nothing}), actor.ResourceExhausted)
	release()

	settings.Mailbox.Capacity = 0
	ref = spawn(t, newSystem(t), script{options: []actor.DefineOption{settings}})
	release = block(t, ref)
	for range 100 {
		run(t, ref, nothing)
	}
	release()
}
