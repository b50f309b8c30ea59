package sourcetest

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/knadh/koanf/v2"

	"github.com/troupe-go/troupe/settings"
)

// Provider is a provider under test.
type Provider struct {
	// Provider says what Set told last.
	Provider koanf.Provider
	// Parser is needed by a provider of bytes, and nil for one of values.
	Parser koanf.Parser
	// Set changes what the provider says. The values are nested maps, lists, strings,
	// booleans and whole numbers. It is nil if they cannot be changed; then the provider says
	// what Values returns.
	Set func(values map[string]any) error
}

// Values is what a provider without Set has to say.
func Values() map[string]any {
	return map[string]any{
		"name":   "one",
		"count":  int64(7),
		"on":     true,
		"list":   []any{"a", "b"},
		"nested": map[string]any{"deeper": map[string]any{"name": "two"}},
	}
}

// everything takes what any provider says.
type everything struct {
	Name   string
	Count  int
	On     bool
	List   []string
	Nested map[string]any
}

// patience bounds what only a broken provider needs.
const patience = time.Minute

// Run tests that the providers made by newProvider do what settings.From asks, each in
// a subtest of its own; with the race detector it also finds unsafe access. newProvider
// returns a new provider at every call. If the provider has the methods Watch and
// Unwatch, and Set is given, these are tested too.
func Run(t *testing.T, newProvider func(t *testing.T) Provider) {
	t.Helper()
	for _, test := range []struct {
		name    string
		changes bool // needs Set
		watched bool // and Watch
		run     func(*testing.T, Provider)
	}{
		{"it says its values", false, false, saysItsValues},
		{"what it said may be kept", true, false, mayBeKept},
		{"it may be read concurrently", false, false, readConcurrently},
		{"it is followed", true, true, isFollowed},
		{"it is silent after Unwatch", true, true, silentAfterUnwatch},
		{"it may be watched again", true, true, watchedAgain},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProvider(t)
			if _, watched := p.Provider.(watcher); test.changes && p.Set == nil || test.watched && !watched {
				t.Skip("the provider cannot do this")
			}
			if p.Set != nil {
				set(t, p, Values())
			}
			test.run(t, p)
		})
	}
}

type watcher interface {
	Watch(changed func(event any, err error)) error
	Unwatch() error
}

func set(t *testing.T, p Provider, values map[string]any) {
	t.Helper()
	if err := p.Set(values); err != nil {
		t.Fatal(err)
	}
}

// read reads p as settings.From does.
func read(p Provider) (map[string]any, error) {
	if p.Parser == nil {
		return p.Provider.Read()
	}
	content, err := p.Provider.ReadBytes()
	if err != nil {
		return nil, err
	}
	return p.Parser.Unmarshal(content)
}

func load(t *testing.T, p Provider) *settings.Live[everything] {
	t.Helper()
	var parsers []koanf.Parser
	if p.Parser != nil {
		parsers = append(parsers, p.Parser)
	}
	live, err := settings.Load[everything](context.Background(), settings.From("provider", p.Provider, parsers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	return live
}

func saysItsValues(t *testing.T, p Provider) {
	want := everything{
		Name: "one", Count: 7, On: true, List: []string{"a", "b"},
		Nested: map[string]any{"deeper": map[string]any{"name": "two"}},
	}
	if got := *load(t, p).Get(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func mayBeKept(t *testing.T, p Provider) {
	before, err := read(p)
	if err != nil {
		t.Fatal(err)
	}
	set(t, p, map[string]any{"name": "other", "nested": map[string]any{"deeper": map[string]any{"name": "other"}}})
	if after, err := read(p); err != nil || after["name"] != "other" {
		t.Errorf("it was changed, and says %v, %v", after, err)
	}
	deeper, _ := before["nested"].(map[string]any)["deeper"].(map[string]any)
	if before["name"] != "one" || deeper["name"] != "two" {
		t.Errorf("what it had said is now %v", before)
	}
}

func readConcurrently(t *testing.T, p Provider) {
	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			for range 50 {
				if _, err := read(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reading.Wait()
}

// follow watches until the name is what is wanted.
func follow(t *testing.T, live *settings.Live[everything], name string, change func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := live.Watch(ctx, "name", func(_, new *everything) {
		if new.Name == name {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	change()
	<-ctx.Done()
	if got := live.Get().Name; got != name {
		t.Fatalf("it was changed to %q, and settings have %q", name, got)
	}
}

func isFollowed(t *testing.T, p Provider) {
	live := load(t, p)
	for _, name := range []string{"two", "three"} {
		follow(t, live, name, func() { set(t, p, map[string]any{"name": name}) })
	}
}

func silentAfterUnwatch(t *testing.T, p Provider) {
	w := p.Provider.(watcher)
	var ended, late atomic.Bool
	if err := w.Watch(func(any, error) { late.Store(late.Load() || ended.Load()) }); err != nil {
		t.Fatal(err)
	}
	if err := w.Unwatch(); err != nil {
		t.Fatal(err)
	}
	ended.Store(true)
	follow(t, load(t, p), "two", func() { set(t, p, map[string]any{"name": "two"}) })
	if late.Load() {
		t.Error("what was unwatched was still told of a change")
	}
}

func watchedAgain(t *testing.T, p Provider) {
	load(t, p).Close()
	live := load(t, p)
	follow(t, live, "two", func() { set(t, p, map[string]any{"name": "two"}) })
}
