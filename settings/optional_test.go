package settings_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/settings"
)

// shaky is a provider that may fail.
type shaky struct {
	mu     sync.Mutex
	values map[string]any
	err    error
}

func (s *shaky) set(values map[string]any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values, s.err = values, err
}

func (s *shaky) Read() (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values, s.err
}

func (*shaky) ReadBytes() ([]byte, error) { return nil, errors.New("not in use") }

func TestAnOptionalSourceThatFailsStopsNothing(t *testing.T) {
	type shop struct {
		Name  string `default:"shop"`
		Limit int    `default:"1"`
	}
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "shop.yaml"), "name: a")
	synctest.Test(t, func(t *testing.T) {
		s := &shaky{err: errors.New("no connection")}
		live := load[shop](t, settings.File(name), settings.Optional(settings.From("remote", s)), settings.WithPolling(time.Second))
		want := func(what, name string, limit int, failing bool) {
			t.Helper()
			<-time.After(time.Minute)
			synctest.Wait()
			status := live.Status()
			if got := live.Get(); got.Name != name || got.Limit != limit || status.Err != nil {
				t.Errorf("%s: %+v, %v", what, got, status.Err)
			}
			if failing != (status.Optional != nil) || failing && !strings.Contains(status.Optional.Error(), "remote") {
				t.Errorf("%s: Optional is %v", what, status.Optional)
			}
		}
		want("not there yet", "a", 1, true)
		s.set(map[string]any{"limit": 2}, nil)
		want("there", "a", 2, false)
		s.set(nil, errors.New("no connection"))
		want("gone", "a", 2, true)
		reloads := live.Status().Reloads
		write(t, name, "name: b")
		want("gone, and the file changed", "b", 2, true)
		if got := live.Status().Reloads; got != reloads+1 {
			t.Errorf("%d reloads for one change", got-reloads)
		}
		s.set(map[string]any{"limit": 3}, nil)
		want("back", "b", 3, false)
		s.set(map[string]any{"limt": 4}, nil)
		<-time.After(time.Minute)
		if err := live.Status().Err; !errors.Is(err, settings.UnknownKey) {
			t.Errorf("a mistake in it: %v", err)
		}
	})
}

func TestAnOptionalFileMayBeHalfWritten(t *testing.T) {
	type shop struct{ Limit int }
	name := write(t, filepath.Join(t.TempDir(), "shop.yaml"), "limit: [")
	live := load[shop](t, settings.Optional(settings.File(name)))
	if err := live.Status().Optional; !errors.Is(err, settings.Malformed) {
		t.Errorf("Optional is %v", err)
	}
}

func TestABrokenReloadIsLoggedByDefault(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	type shop struct{ Limit int }
	name := write(t, filepath.Join(t.TempDir(), "shop.yaml"), "limit: 1")
	synctest.Test(t, func(t *testing.T) {
		live, err := settings.Load[shop](t.Context(), settings.File(name), settings.WithPolling(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("limit: many"), 0o600); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		live.Close()
	})
	if got := log.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "limit") {
		t.Errorf("it logged %q", got)
	}
}

// What was refused while a source could be read does not come into force when it cannot.
func TestAnOptionalSourceThatFailsLeavesWhatWasTakenOver(t *testing.T) {
	type shop struct {
		Name  string `default:"shop"`
		Limit int    `default:"1" validate:"max=5"`
	}
	for what, refused := range map[string]map[string]any{
		"an unknown key": {"limt": 4},
		"a rule":         {"limit": 9},
	} {
		name := write(t, filepath.Join(t.TempDir(), "shop.yaml"), "name: a")
		synctest.Test(t, func(t *testing.T) {
			s := &shaky{values: map[string]any{"limit": 3}}
			live := load[shop](t, settings.File(name), settings.Optional(settings.From("remote", s)), settings.WithPolling(time.Second))
			s.set(refused, nil)
			<-time.After(time.Minute)
			if live.Status().Err == nil {
				t.Errorf("%s is not refused", what)
			}
			s.set(nil, errors.New("no connection"))
			write(t, name, "name: b")
			<-time.After(time.Minute)
			synctest.Wait()
			if got, status := live.Get(), live.Status(); got.Name != "b" || got.Limit != 3 || status.Err != nil || status.Optional == nil {
				t.Errorf("after %s: %+v, %v, %v", what, got, status.Err, status.Optional)
			}
		})
	}
}
