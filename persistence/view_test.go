package persistence_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

type profile struct {
	Owner   string
	Balance int
}

func TestViewKeepsValuesOfItsType(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	accounts := persistence.Of[profile](s, "account/")
	r, err := accounts.Put(t.Context(), "ada", profile{"Ada", 3}, persistence.TTL(time.Hour), persistence.Metadata(map[string]string{"k": "v"}))
	if err != nil {
		t.Fatal(err)
	}
	e, err := accounts.Get(t.Context(), "ada")
	if err != nil || e.Key != "ada" || e.Value != (profile{"Ada", 3}) || e.Revision != r || e.Metadata["k"] != "v" || e.Expires.IsZero() {
		t.Errorf("Get returns %+v, %v", e, err)
	}
	if _, err := accounts.Put(t.Context(), "bob", profile{"Bob", 4}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []persistence.Query{{}, {Prefix: "a"}, {After: "ada"}, {KeysOnly: true}, {Suffix: "/bob"}} {
		entries, err := accounts.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, e := range entries {
			keys = append(keys, e.Key)
			if q.KeysOnly != (e.Value == profile{}) {
				t.Errorf("%+v: %+v", q, e)
			}
		}
		want := map[string][]string{"a": {"ada"}, "ada": {"bob"}, "/bob": nil, "": {"ada", "bob"}}[q.Prefix+q.After+q.Suffix]
		if !slices.Equal(keys, want) {
			t.Errorf("%+v: %q, want %q", q, keys, want)
		}
	}
	entries, after, err := accounts.Current(t.Context())
	if err != nil || after != r+1 || len(entries) != 2 || entries[0].Key != "ada" || entries[1].Value != (profile{"Bob", 4}) {
		t.Errorf("Current returns %+v, revision %d, %v", entries, after, err)
	}
	if _, err := accounts.CompareAndSwap(t.Context(), "ada", r+1, profile{}); !errors.Is(err, persistence.ErrConflict) {
		t.Errorf("CompareAndSwap of another revision: %v, want ErrConflict", err)
	}
	if _, err := accounts.Delete(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.Get(t.Context(), "ada"); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("Get after Delete: %v, want ErrNotFound", err)
	}
	var seen []persistence.Event[profile]
	for events, err := range accounts.Watch(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seen = append(seen, events.Events...); len(seen) == 3 {
			break
		}
	}
	if seen[0].Value.Balance != 3 || seen[1].Key != "bob" || !seen[2].Deleted || seen[2].Key != "ada" {
		t.Errorf("Watch yields %+v", seen)
	}
}

func TestViewKeepsKeysThatBeginLikeIt(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	v := persistence.Of[string](s, "a/")
	if _, err := v.Put(t.Context(), "a/b", "x"); err != nil {
		t.Fatal(err)
	}
	got, err := v.Get(t.Context(), "a/b")
	if err != nil || got.Key != "a/b" {
		t.Errorf("Get returns %+v, %v", got, err)
	}
	if all, err := v.List(t.Context(), persistence.Query{}); err != nil || len(all) != 1 || all[0].Key != "a/b" {
		t.Errorf("List returns %+v, %v", all, err)
	}
	if keys, err := v.List(t.Context(), persistence.Query{KeysOnly: true}); err != nil || len(keys) != 1 || keys[0].Key != "a/b" {
		t.Errorf("List of keys returns %+v, %v", keys, err)
	}
	if all, _, err := v.Current(t.Context()); err != nil || len(all) != 1 || all[0].Key != "a/b" {
		t.Errorf("Current returns %+v, %v", all, err)
	}
	for events, err := range v.Watch(t.Context(), 0) {
		if err != nil || events.Events[0].Key != "a/b" {
			t.Errorf("Watch yields %+v, %v", events, err)
		}
		break
	}
}

func TestViewUpdatesUnderContention(t *testing.T) {
	const callers, each = 16, 20
	s := open(t, badger.Config{})
	defer s.Close()
	accounts := persistence.Of[profile](s, "")
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range each {
				_, err := accounts.Update(t.Context(), "ada", func(a profile) (profile, error) {
					a.Balance++
					return a, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if e, err := accounts.Get(t.Context(), "ada"); err != nil || e.Value.Balance != callers*each {
		t.Errorf("%+v, %v, want a balance of %d", e, err, callers*each)
	}
	refused := errors.New("refused")
	if _, err := accounts.Update(t.Context(), "ada", func(profile) (profile, error) { return profile{}, refused }); err != refused {
		t.Errorf("Update with a function that fails: %v, want its error", err)
	}
}

func TestViewSaysWhichRecordIsNotOfItsType(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	if _, err := persistence.Put(t.Context(), s, "a/ada", []byte{0xc1}); err != nil {
		t.Fatal(err)
	}
	accounts := persistence.Of[profile](s, "a/")
	inJSON := accounts.WithCodec(actor.JSON{})
	if _, err := inJSON.Put(t.Context(), "bob", profile{"Bob", 1}); err != nil {
		t.Fatal(err)
	}
	wantMismatch := func(what string, err error, key string) {
		t.Helper()
		if !errors.Is(err, persistence.ErrMismatch) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v, want ErrMismatch that names %s", what, err, key)
		}
	}
	_, err := accounts.Get(t.Context(), "ada")
	wantMismatch("Get of something else", err, "a/ada")
	_, err = accounts.Get(t.Context(), "bob")
	wantMismatch("Get of another content type", err, "application/json")
	_, err = accounts.List(t.Context(), persistence.Query{})
	wantMismatch("List", err, "a/ada")
	for _, err := range accounts.Watch(t.Context(), 0) {
		wantMismatch("Watch", err, "a/ada")
	}
	if e, err := inJSON.Get(t.Context(), "bob"); err != nil || e.Value.Owner != "Bob" {
		t.Errorf("%+v, %v", e, err)
	}
}

// ownPointers refuses what no codec of protobuf messages could fill.
type ownPointers struct{ actor.JSON }

func (c ownPointers) Decode(data []byte, target any) error {
	if _, ok := target.(*profile); !ok {
		return fmt.Errorf("asked to fill a %T", target)
	}
	return c.JSON.Decode(data, target)
}

func TestViewOfPointersDecodesThroughThem(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	profiles := persistence.Of[*profile](s, "").WithCodec(ownPointers{})
	if _, err := profiles.Put(t.Context(), "a", &profile{Owner: "Ada"}); err != nil {
		t.Fatal(err)
	}
	if e, err := profiles.Get(t.Context(), "a"); err != nil || e.Value.Owner != "Ada" {
		t.Errorf("%+v, %v", e, err)
	}
}

// panicking is a codec with a bug.
type panicking struct{ actor.JSON }

func (panicking) Append([]byte, any) ([]byte, error) { panic("bug") }
func (panicking) Decode([]byte, any) error           { panic("bug") }

// leaving calls runtime.Goexit where panicking panics.
type leaving struct{ actor.JSON }

func (leaving) Append([]byte, any) ([]byte, error) { runtime.Goexit(); return nil, nil }
func (leaving) Decode([]byte, any) error           { runtime.Goexit(); return nil }

func TestViewSurvivesItsCodec(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	accounts := persistence.Of[profile](s, "").WithCodec(panicking{})
	if _, err := accounts.Put(t.Context(), "a", profile{}); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("Put with a codec that panics: %v, want ErrInvalid", err)
	}
	if _, err := persistence.Put(t.Context(), s, "a", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.Get(t.Context(), "a"); !errors.Is(err, persistence.ErrMismatch) {
		t.Errorf("Get with a codec that panics: %v, want ErrMismatch", err)
	}
	leaves := persistence.Of[profile](s, "").WithCodec(leaving{})
	failed := make(chan error)
	go func() {
		defer close(failed)
		_, err := leaves.Put(t.Context(), "a", profile{})
		failed <- err
		_, err = leaves.Get(t.Context(), "a")
		failed <- err
	}()
	if err := <-failed; !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("Put with a codec that leaves: %v, want ErrInvalid", err)
	}
	if err := <-failed; !errors.Is(err, persistence.ErrMismatch) {
		t.Errorf("Get with a codec that leaves: %v, want ErrMismatch", err)
	}
}

func TestAKeyIsQuotedInWholeLetters(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	for shift := range 4 {
		key := strings.Repeat("x", shift) + strings.Repeat("𝄞", 99)
		_, err := persistence.Of[profile](s, "").Get(t.Context(), key)
		if !errors.Is(err, persistence.ErrNotFound) || !strings.Contains(err.Error(), `𝄞"...`) {
			t.Error(err)
		}
		_, err = persistence.Of[profile](s, "").WithCodec(panicking{}).Put(t.Context(), key, profile{})
		if !strings.Contains(err.Error(), `𝄞"...`) {
			t.Error(err)
		}
	}
}

// TestAViewInJSONLooksThroughItsTypeOnce: not for each record.
func TestAViewInJSONLooksThroughItsTypeOnce(t *testing.T) {
	s := open(t, badger.Config{})
	defer s.Close()
	get := func(v *persistence.View[profile]) float64 {
		if _, err := v.Put(t.Context(), "a", profile{"Ada", 3}); err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(20, func() {
			if _, err := v.Get(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		})
	}
	plain := get(persistence.Of[profile](s, "plain/"))
	if inJSON := get(persistence.Of[profile](s, "json/").WithCodec(actor.JSON{})); inJSON > plain+10 {
		t.Errorf("Get allocates %v times in JSON, and %v in MessagePack", inJSON, plain)
	}
}
