package sourcetest_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	koanfjson "github.com/knadh/koanf/parsers/json"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/settings/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfmapIsASource(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Provider {
		return sourcetest.Provider{Provider: confmap.Provider(sourcetest.Values(), ".")}
	})
}

// Koanf's file is not changed here: when it is watched again soon after Unwatch, what is
// left of the first watch may end the second. For files there is settings.File.
func TestAFileOfKoanfIsASource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Provider {
		path := filepath.Join(t.TempDir(), "c.json")
		content, err := json.Marshal(sourcetest.Values())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return sourcetest.Provider{Provider: file.Provider(path), Parser: koanfjson.Parser()}
	})
}

func TestBytesAreASource(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Provider {
		v := new(variable)
		return sourcetest.Provider{Provider: v, Parser: koanfjson.Parser(), Set: v.set}
	})
}

func TestAVariableIsASource(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Provider {
		v := new(variable)
		return sourcetest.Provider{Provider: v, Set: v.set}
	})
}

// variable is a provider in memory.
type variable struct {
	mu     sync.Mutex
	values map[string]any
	notify func(any, error)
}

func (v *variable) ReadBytes() ([]byte, error) {
	values, err := v.Read()
	if err != nil {
		return nil, err
	}
	return json.Marshal(values)
}

func (v *variable) Read() (map[string]any, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.values), nil
}

func (v *variable) Watch(notify func(any, error)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notify = notify
	return nil
}

func (v *variable) Unwatch() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notify = nil
	return nil
}

func (v *variable) set(values map[string]any) error {
	v.mu.Lock()
	v.values = values
	notify := v.notify
	v.mu.Unlock()
	if notify != nil {
		notify(nil, nil)
	}
	return nil
}
