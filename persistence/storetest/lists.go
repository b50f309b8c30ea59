package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/persistence"
)

func listIsInOrderOfBytes(f *fixture) {
	keys := []string{"b", "a", "", "\xff", "a\x00", "ab", "B", "\x00", "a\xff", "é"}
	for _, k := range keys {
		f.put(k, k)
	}
	slices.Sort(keys)
	if got := keysOf(f.list(persistence.Query{})); !slices.Equal(got, keys) {
		f.Errorf("ascending: %q, want %q", got, keys)
	}
	slices.Reverse(keys)
	if got := keysOf(f.list(persistence.Query{Descending: true})); !slices.Equal(got, keys) {
		f.Errorf("descending: %q, want %q", got, keys)
	}
}

func listFiltersByPrefixAndSuffix(f *fixture) {
	keys := []string{"user/1/name", "user/1/mail", "user/10/name", "user/2/name", "user", "users/1/name", "name", "\xff\xff", "\xff\xffname"}
	for _, k := range keys {
		f.put(k, "")
	}
	slices.Sort(keys)
	for _, q := range []persistence.Query{
		{Prefix: "user/"}, {Prefix: "user/1"}, {Prefix: "user"}, {Prefix: "\xff"}, {Prefix: "\xff\xff"}, {Prefix: "x"},
		{Suffix: "name"}, {Suffix: "/name"}, {Suffix: "x"},
		{Prefix: "user/1", Suffix: "name"}, {Prefix: "user", Suffix: "mail"}, {Prefix: "na", Suffix: "ame"}, {Prefix: "user/", Suffix: "x"},
	} {
		want := []string{}
		for _, k := range keys {
			if strings.HasPrefix(k, q.Prefix) && strings.HasSuffix(k, q.Suffix) {
				want = append(want, k)
			}
		}
		if got := keysOf(f.list(q)); !slices.Equal(got, want) {
			f.Errorf("%+v: %q, want %q", q, got, want)
		}
		q.Descending = true
		slices.Reverse(want)
		if got := keysOf(f.list(q)); !slices.Equal(got, want) {
			f.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

func listPagesWithOffsetAndLimit(f *fixture) {
	var matching []string
	for i := range 20 {
		f.put(numbered("other-", i), "")
		suffix := []string{".x", ".y"}[i%2]
		f.put(numbered("key-", i)+suffix, "")
		if suffix == ".y" {
			matching = append(matching, numbered("key-", i)+suffix)
		}
	}
	for _, descending := range []bool{false, true} {
		want := slices.Clone(matching)
		if descending {
			slices.Reverse(want)
		}
		for offset := range 12 {
			for limit := range 12 {
				q := persistence.Query{Prefix: "key-", Suffix: ".y", Offset: offset, Limit: limit, Descending: descending}
				page := want[min(offset, len(want)):]
				if limit > 0 {
					page = page[:min(limit, len(page))]
				}
				if got := keysOf(f.list(q)); !slices.Equal(got, page) {
					f.Errorf("%+v: %q, want %q", q, got, page)
				}
			}
		}
	}
}

func listPagesWithCursor(f *fixture) {
	keys := []string{"a", "a\x00", "a/1", "a/2", "a/3", "b", "\xff", "\xff\xff"}
	for _, k := range keys {
		f.put(k, "")
	}
	slices.Sort(keys)
	for _, prefix := range []string{"", "a", "a/", "\xff", "c"} {
		for _, cursor := range append(slices.Clone(keys), "a/2x", "0", "zz", "\xff\xff\xff") {
			for _, descending := range []bool{false, true} {
				want := []string{}
				for _, k := range keys {
					if strings.HasPrefix(k, prefix) && (!descending && k > cursor || descending && k < cursor) {
						want = append(want, k)
					}
				}
				if descending {
					slices.Reverse(want)
				}
				q := persistence.Query{Prefix: prefix, After: cursor, Descending: descending}
				if got := keysOf(f.list(q)); !slices.Equal(got, want) {
					f.Errorf("%+v: %q, want %q", q, got, want)
				}
				q.Limit = 1
				if got := keysOf(f.list(q)); !slices.Equal(got, want[:min(1, len(want))]) {
					f.Errorf("%+v: %q, want the first of %q", q, got, want)
				}
			}
		}
	}
}

func listOfNothingIsEmpty(f *fixture) {
	for _, q := range []persistence.Query{{}, {Prefix: "x"}, {Suffix: "x"}, {After: "x"}, {Descending: true}, {Offset: 3, Limit: 1}} {
		if got := f.list(q); len(got) != 0 {
			f.Errorf("%+v of an empty store: %v", q, got)
		}
	}
	f.put("a", "")
	for _, q := range []persistence.Query{{Prefix: "b"}, {Suffix: "b"}, {After: "a"}, {After: "a", Descending: true}, {Offset: 1}} {
		if got := f.list(q); len(got) != 0 {
			f.Errorf("%+v: %v, want nothing", q, got)
		}
	}
}

func listWithoutValues(f *fixture) {
	revision := f.put("a", "value", persistence.Metadata(map[string]string{"k": "v"}))
	r := f.list(persistence.Query{KeysOnly: true})[0]
	if r.Key != "a" || r.Revision != revision || r.Metadata["k"] != "v" || len(r.Value) != 0 {
		f.Errorf("KeysOnly: %+v, want everything but the value", r)
	}
}

// listIsOfOneRevision moves money between accounts and looks at all of them.
func listIsOfOneRevision(f *fixture) {
	const accounts, sum, moves = 8, 800, 200
	var t persistence.Transaction
	for i := range accounts {
		t.Then = append(t.Then, persistence.Change{Key: numbered("account-", i), Value: []byte(strconv.Itoa(sum / accounts))})
	}
	f.commit(t)
	var movers sync.WaitGroup
	defer movers.Wait()
	done := make(chan struct{})
	movers.Go(func() {
		defer close(done)
		for i := range moves {
			from, to := numbered("account-", i%accounts), numbered("account-", (i*5+1)%accounts)
			if from == to {
				continue
			}
			if err := move(f, from, to, i%7); err != nil {
				f.Errorf("moving: %v", err)
				return
			}
		}
	})
	for n := 0; ; n++ {
		total := 0
		for _, r := range f.list(persistence.Query{Prefix: "account-", Descending: n%2 == 0}) {
			amount, err := strconv.Atoi(string(r.Value))
			if err != nil {
				f.Fatal(err)
			}
			total += amount
		}
		if total != sum {
			f.Fatalf("a list has %d on all accounts, want %d: it is not of one revision", total, sum)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func move(f *fixture, from, to string, amount int) error {
	for {
		a, err := f.Get(f.Context(), from)
		if err != nil {
			return err
		}
		b, err := f.Get(f.Context(), to)
		if err != nil {
			return err
		}
		x, err1 := strconv.Atoi(string(a.Value))
		y, err2 := strconv.Atoi(string(b.Value))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		_, err = f.Commit(f.Context(), persistence.Transaction{
			If: []persistence.Condition{{Key: from, Revision: a.Revision}, {Key: to, Revision: b.Revision}},
			Then: []persistence.Change{
				{Key: from, Value: fmt.Append(nil, x-amount)},
				{Key: to, Value: fmt.Append(nil, y+amount)},
			},
			Unsynced: true,
		})
		if !errors.Is(err, persistence.ErrConflict) {
			return err
		}
	}
}

func negativeQueryIsInvalid(f *fixture) {
	for _, q := range []persistence.Query{{Offset: -1}, {Limit: -1}} {
		if _, err := f.List(f.Context(), q); !errors.Is(err, persistence.ErrInvalid) {
			f.Errorf("%+v: %v, want ErrInvalid", q, err)
		}
	}
}
