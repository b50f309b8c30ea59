package actor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
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
