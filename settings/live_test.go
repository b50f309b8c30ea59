package settings_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/settings"
)

type service struct {
	Name string `default:"none"`
	HTTP struct {
		Timeout time.Duration `default:"5s" validate:"min=1ms"`
		Port    int           `default:"80" reload:"restart"`
	}
	Labels map[string]string
	Token  settings.Secret
}

// journal is a slog.Handler that hands on each message.
type journal chan string

func newJournal() journal { return make(journal, 1000) }

func (j journal) Enabled(context.Context, slog.Level) bool { return true }
func (j journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j journal) WithGroup(string) slog.Handler            { return j }
func (j journal) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	j <- line
	return nil
}

func (j journal) logger() settings.Source { return settings.WithLogger(slog.New(j)) }

// await returns the first message that has the text.
func (j journal) await(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-j:
			if strings.Contains(line, text) {
				return line
			}
		case <-t.Context().Done():
			t.Fatalf("%q was not logged", text)
		}
	}
}

const (
	changed = "settings changed keys"
	refusal = "new settings were refused"
)

func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.Rename(write(t, path+".tmp", content), path); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	log := newJournal()
	required := write(t, filepath.Join(dir, "a", "a.yaml"), "name: a")
	optional := filepath.Join(dir, "b", "c", "b.toml")
	folder := filepath.Join(dir, "conf.d")
	live := load[service](t, log.logger(), settings.File(required), settings.OptionalFile(optional), settings.Folder(folder))
	expect := func(what, want string) {
		t.Helper()
		log.await(t, changed)
		if got := live.Get().Name; got != want {
			t.Fatalf("%s: got %q, want %q", what, got, want)
		}
	}
	write(t, required, "name: written")
	expect("written in place", "written")
	replace(t, required, "name: replaced")
	expect("replaced", "replaced")
	replace(t, required, "name: again")
	expect("replaced again", "again")
	write(t, optional, "name = 'appeared'")
	expect("an optional file in a new folder", "appeared")
	write(t, filepath.Join(folder, "1.json"), `{"name": "folder"}`)
	expect("a new folder", "folder")
	write(t, filepath.Join(folder, "2.yaml"), "name: second")
	expect("a second file in it", "second")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	expect("the folder is deleted", "appeared")
	if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	expect("the optional file is deleted", "again")
	write(t, optional, "name = 'back'")
	expect("it is back", "back")

	if err := os.Remove(required); err != nil {
		t.Fatal(err)
	}
	log.await(t, refusal)
	if status := live.Status(); live.Get().Name != "back" || !errors.Is(status.Err, settings.Unreadable) || status.Refusals == 0 {
		t.Errorf("a required file was deleted: %+v, %+v", live.Get(), status)
	}
	write(t, required, "http: {timeout: 1s}")
	log.await(t, changed)
	if live.Get().HTTP.Timeout != time.Second || live.Status().Err != nil {
		t.Errorf("it is there again: %+v, %+v", live.Get(), live.Status())
	}
}

func TestWhatIsBrokenKeepsTheLastGoodSettings(t *testing.T) {
	log := newJournal()
	path := write(t, filepath.Join(t.TempDir(), "a.yaml"), "name: good")
	live := load[service](t, log.logger(), settings.File(path))
	for _, c := range []struct {
		content string
		code    settings.Code
	}{
		{"", settings.Malformed}, {"name: [", settings.Malformed}, {"nam: x", settings.UnknownKey},
		{"http: {timeout: soon}", settings.WrongType}, {"http: {timeout: 0s}", settings.Invalid}, {"name: ${UNSET_VARIABLE}", settings.BadReference},
	} {
		write(t, path, c.content)
		log.await(t, refusal)
		if c.content != "" && !errors.Is(live.Status().Err, c.code) {
			log.await(t, refusal) // the file was empty for a moment
		}
		if !errors.Is(live.Status().Err, c.code) || live.Get().Name != "good" {
			t.Errorf("%q: %+v, %+v", c.content, live.Status(), live.Get())
		}
	}
	write(t, path, "name: good")
	if said := log.await(t, "can be read again"); strings.Contains(said, "changed") || live.Status().Err != nil {
		t.Errorf("%s, %+v", said, live.Status())
	}
	write(t, path, "name: better")
	log.await(t, changed)
	if status := live.Status(); live.Get().Name != "better" || status.Err != nil || status.Reloads != 2 || status.Refusals < 6 {
		t.Errorf("%+v, %+v", live.Get(), status)
	}
}

func TestSwappedLinksOfKubernetesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	log := newJournal()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, "tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "..1", "a.yaml"), "name: one\ntoken: file:token")
	write(t, filepath.Join(dir, "..1", "token"), "1")
	link("..1", "..data")
	link(filepath.Join("..data", "a.yaml"), "a.yaml")
	link(filepath.Join("..data", "token"), "token")
	live := load[service](t, log.logger(), settings.File(filepath.Join(dir, "a.yaml")))
	for _, version := range []string{"2", "3", "4"} {
		write(t, filepath.Join(dir, ".."+version, "a.yaml"), "name: n"+version+"\ntoken: file:token")
		write(t, filepath.Join(dir, ".."+version, "token"), version+"\n")
		link(".."+version, "..data")
		log.await(t, changed)
		if got := live.Get(); got.Name != "n"+version || got.Token.Reveal() != version {
			t.Errorf("got %s and %s, want %s", got.Name, got.Token.Reveal(), version)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
}

func TestASecretFileIsFollowed(t *testing.T) {
	dir := t.TempDir()
	log := newJournal()
	secret := write(t, filepath.Join(dir, "secrets", "token"), "one")
	live := load[service](t, log.logger(), settings.Map(map[string]any{"token": "file:" + secret}), settings.File(write(t, filepath.Join(dir, "a.yaml"), "name: a")))
	replace(t, secret, "two")
	if line := log.await(t, changed); !strings.Contains(line, "[token]") || strings.Contains(line, "two") || live.Get().Token.Reveal() != "two" {
		t.Errorf("%s, %s", line, live.Get().Token.Reveal())
	}
}

// variable is a provider in memory that can be changed.
type variable struct {
	mu     sync.Mutex
	values map[string]any
	err    error
	reads  int
	notify func(any, error)
}

func (v *variable) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

func (v *variable) Read() (map[string]any, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	return v.values, v.err
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

// set makes the provider return this from now on.
func (v *variable) set(err error, values map[string]any) {
	v.mu.Lock()
	v.values, v.err = values, err
	notify := v.notify
	v.mu.Unlock()
	if notify != nil {
		notify(nil, nil)
	}
}

func named(name string) map[string]any { return map[string]any{"name": name} }

func TestABurstOfChangesIsOneReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &variable{values: named("a")}
		live := load[service](t, settings.From("v", v))
		<-time.After(time.Second)
		for i := range 100 {
			v.set(nil, named("n"+string(rune('a'+i%26))))
			<-time.After(5 * time.Millisecond)
		}
		v.set(nil, named("last"))
		<-time.After(time.Second)
		if status := live.Status(); live.Get().Name != "last" || status.Reloads != 1 {
			t.Errorf("%+v, %+v", live.Get(), status)
		}
		synctest.Wait()
		reads := v.reads
		<-time.After(time.Hour)
		synctest.Wait()
		if v.reads != reads {
			t.Errorf("it was read %d times in an hour without a change", v.reads-reads)
		}
		v.set(nil, named("last"))
		<-time.After(time.Second)
		synctest.Wait()
		if status := live.Status(); status.Reloads != 1 || v.reads == reads {
			t.Errorf("nothing changed, and it is %+v", status)
		}
	})
}

func TestAnEndlessBurstIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &variable{}
		live := load[service](t, settings.From("v", v))
		for i := range 1000 {
			v.set(nil, named("n"+string(rune('a'+i%26))))
			<-time.After(10 * time.Millisecond)
		}
		if reloads := live.Status().Reloads; reloads < 8 || reloads > 11 {
			t.Errorf("%d reloads in 10 seconds", reloads)
		}
	})
}

func TestAProviderThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newJournal()
		v := &variable{values: named("a")}
		live := load[service](t, log.logger(), settings.From("v", v))
		<-time.After(time.Second)
		v.set(errors.New("out of order"), nil)
		<-time.After(time.Minute)
		synctest.Wait()
		if status := live.Status(); status.Refusals != 1 || !strings.Contains(status.Err.Error(), "out of order") || v.reads > 15 {
			t.Errorf("after %d reads: %+v", v.reads, status)
		}
		v.mu.Lock()
		v.err, v.values = nil, named("b")
		v.mu.Unlock()
		<-time.After(31 * time.Second)
		if live.Get().Name != "b" || live.Status().Err != nil {
			t.Errorf("%+v, %+v", live.Get(), live.Status())
		}
	})
}

func TestAProviderIsWatchedAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var watched, unwatched atomic.Int32
		var tell atomic.Value
		s := &source{
			read:  func() (map[string]any, error) { return named("n"), nil },
			watch: func(cb func(any, error)) error { tell.Store(cb); watched.Add(1); return nil },
			end:   func() error { unwatched.Add(1); panic("in Unwatch") },
		}
		live := load[service](t, settings.From("s", s))
		synctest.Wait()
		tell.Load().(func(any, error))(nil, errors.New("lost the connection"))
		<-time.After(time.Second)
		if watched.Load() != 2 || unwatched.Load() != 1 {
			t.Errorf("watched %d and unwatched %d times", watched.Load(), unwatched.Load())
		}
		live.Close()
		if unwatched.Load() != 2 {
			t.Errorf("unwatched %d times", unwatched.Load())
		}
	})
}

func TestAWatchMayBlockUntilUnwatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		s := &source{
			read:  func() (map[string]any, error) { return nil, nil },
			watch: func(func(any, error)) error { <-ended; return nil },
			end:   func() error { close(ended); return nil },
		}
		live := load[service](t, settings.From("s", s))
		synctest.Wait()
		began := time.Now()
		live.Close()
		if time.Since(began) != 0 {
			t.Errorf("Close took %v", time.Since(began))
		}
	})
}

func TestCloseDoesNotWaitForEverForAProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, release := newJournal(), make(chan struct{})
		s := &source{
			read:  func() (map[string]any, error) { return nil, nil },
			watch: func(func(any, error)) error { <-release; return nil },
		}
		live := load[service](t, log.logger(), settings.From("s", s))
		synctest.Wait()
		live.Close()
		log.await(t, "does not return")
		close(release)
	})
}

func TestPanicsOfUsersAreErrors(t *testing.T) {
	err := refused[service](t, settings.From("p", &source{read: func() (map[string]any, error) { panic("in Read") }}))
	if !errors.Is(err, settings.Unreadable) || !strings.Contains(err.Error(), "in Read") {
		t.Error(err)
	}
	if err := refused[struct{ A panicking }](t, settings.Map(map[string]any{"a": "unmarshal"})); !errors.Is(err, settings.WrongType) {
		t.Error(err)
	}
	if err := refused[struct{ A panicking }](t, settings.Map(map[string]any{"a": "validate"})); !errors.Is(err, settings.Invalid) {
		t.Error(err)
	}
	if err := refused[service](t, settings.From("nil", nil)); !errors.Is(err, settings.Unreadable) {
		t.Error(err)
	}
}

type panicking string

func (p *panicking) UnmarshalText(text []byte) error {
	if *p = panicking(text); *p == "unmarshal" {
		panic("in UnmarshalText")
	}
	return nil
}

func (p panicking) Validate() error {
	if p != "" {
		panic("in Validate")
	}
	return nil
}

func TestStatusNamesWhatWaitsForARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &variable{}
		live := load[service](t, settings.From("v", v))
		v.set(nil, map[string]any{"http": map[string]any{"port": 81, "timeout": "1s"}})
		<-time.After(time.Second)
		if got := live.Status().Restart; !slices.Equal(got, []string{"http.port"}) || live.Get().HTTP.Port != 81 {
			t.Errorf("got %q", got)
		}
		v.set(nil, map[string]any{"http": map[string]any{"port": 80}})
		<-time.After(time.Second)
		if got := live.Status().Restart; len(got) > 0 {
			t.Errorf("it is as it was, and yet %q", got)
		}
	})
}

func TestFilesArePolledInABubble(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.yaml"), "name: a")
	synctest.Test(t, func(t *testing.T) {
		live := load[service](t, settings.File(path), settings.WithPolling(time.Second))
		write(t, path, "name: b")
		<-time.After(3 * time.Second)
		if got := live.Get().Name; got != "b" {
			t.Errorf("got %q", got)
		}
	})
}

func TestNoFileStaysOpenAfterClose(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc: ", err)
		}
		return len(entries)
	}
	path := write(t, filepath.Join(t.TempDir(), "a.yaml"), "name: a")
	load[service](t, settings.File(path)).Close() // what Go itself opens once
	before := open()
	for range 10 {
		load[service](t, settings.File(path)).Close()
	}
	if after := open(); after > before {
		t.Errorf("%d files are open, %d were", after, before)
	}
}
