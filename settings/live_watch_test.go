package settings_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/settings"
)

func TestWatchersLearnOfWhatTheyWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &variable{values: named("a")}
		live := load[service](t, settings.From("v", v))
		seen := make(chan string, 100)
		watch := func(key string) {
			t.Helper()
			if err := live.Watch(t.Context(), key, func(old, new *service) { seen <- key + ": " + old.Name + " to " + new.Name }); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"", "name", "HTTP", "http.timeout", "labels", "labels.x"} {
			watch(key)
		}
		expect := func(values map[string]any, want ...string) {
			t.Helper()
			v.set(nil, values)
			<-time.After(time.Second)
			got := []string{}
			for len(seen) > 0 {
				got = append(got, <-seen)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		expect(map[string]any{"name": "b"}, ": a to b", "name: a to b")
		expect(map[string]any{"name": "b", "http": map[string]any{"timeout": "6s"}}, ": b to b", "HTTP: a to b", "http.timeout: a to b")
		expect(map[string]any{"name": "b", "http": map[string]any{"timeout": "5s"}}, ": b to b", "HTTP: b to b", "http.timeout: b to b")
		expect(map[string]any{"name": "b", "labels": map[string]any{"y": "1"}}, ": b to b", "labels: a to b")
		expect(map[string]any{"name": "b", "labels": map[string]any{"x": "1"}}, ": b to b", "labels.x: a to b", "labels: b to b")
	})
}

func TestAWatcherThatPanicsOrBlocksDisturbsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newJournal()
		v := &variable{values: named("a")}
		live := load[service](t, log.logger(), settings.From("v", v))
		release, calls := make(chan struct{}), make(chan string, 10)
		live.Watch(t.Context(), "", func(_, new *service) { panic(new.Name) })
		live.Watch(t.Context(), "", func(old, new *service) { <-release; calls <- old.Name + new.Name })
		got := ""
		live.Watch(t.Context(), "", func(_, new *service) { got += new.Name })
		for _, name := range []string{"b", "c", "d"} {
			v.set(nil, named(name))
			<-time.After(time.Second)
			if line := log.await(t, "a watcher"); !strings.Contains(line, "panicked: "+name) {
				t.Error(line)
			}
		}
		synctest.Wait()
		if got != "bcd" {
			t.Errorf("the third watcher got %q", got)
		}
		close(release)
		if first, last := <-calls, <-calls; first != "ab" || last != "bd" {
			t.Errorf("the slow watcher got %q and %q", first, last)
		}
	})
}

func TestAWatcherEndsWithItsContextAndWithTheLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &variable{}
		live := load[service](t, settings.From("v", v))
		ctx, cancel := context.WithCancel(t.Context())
		called := false
		live.Watch(ctx, "", func(_, _ *service) { called = true })
		cancel()
		v.set(nil, named("b"))
		<-time.After(time.Second)
		synctest.Wait()
		if called {
			t.Error("it was called after its context had ended")
		}
		if err := live.Watch(t.Context(), "nam", nil); !errors.Is(err, settings.UnknownKey) || !strings.Contains(err.Error(), "did you mean name?") {
			t.Error(err)
		}
		live.Close()
		live.Close()
		if err := live.Watch(t.Context(), "", nil); !errors.Is(err, settings.Closed) {
			t.Error(err)
		}
		if v.notify != nil {
			t.Error("the provider is still watched")
		}
	})
}
