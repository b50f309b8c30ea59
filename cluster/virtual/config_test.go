package virtual

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	livesettings "github.com/troupe-go/troupe/settings"
)

func loadConfig(t *testing.T, values map[string]any) (Config, error) {
	t.Helper()
	live, err := livesettings.Load[Config](t.Context(), livesettings.Map(values))
	if err != nil {
		return Config{}, err
	}
	defer live.Close()
	return *live.Get(), nil
}

func TestTheDefaultsOfSettingsAreThoseOfServe(t *testing.T) {
	loaded, err := loadConfig(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := config{settings: settings{Shards: defaultShards}, idle: defaultIdle, handovers: defaultHandovers}
	if got := applied(loaded, new(config)); !reflect.DeepEqual(got, want) {
		t.Errorf("settings say %+v, Serve has %+v", got, want)
	}
}

func applied(o Option, to *config) config {
	o.apply(to)
	return *to
}

func TestSettingsOfAKindAreAnOption(t *testing.T) {
	loaded, err := loadConfig(t, map[string]any{"shards": 16, "idle_timeout": "0s", "role": "worker", "roles": []any{"worker", "web"}})
	if err != nil {
		t.Fatal(err)
	}
	c := applied(loaded, &config{eager: true})
	MaxHandovers(2).apply(&c)
	if c.settings.Shards != 16 || c.idle != 0 || c.settings.Role != "worker" || len(c.roles) != 2 || c.handovers != 2 || !c.eager {
		t.Errorf("it amounts to %+v", c)
	}
}

func TestSettingsOfAKindThatMakeNoSenseAreRefused(t *testing.T) {
	for key, value := range map[string]any{"shards": 0, "max_handovers": 0, "idle_timeout": time.Microsecond.String()} {
		if _, err := loadConfig(t, map[string]any{key: value}); !errors.Is(err, livesettings.Invalid) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
