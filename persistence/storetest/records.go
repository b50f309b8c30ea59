package storetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/troupe-go/troupe/persistence"
)

func missIsErrNotFound(f *fixture) {
	f.wantNone("nothing")
	f.put("something", "x")
	f.wantNone("nothing")
	f.wantNone("somethin")
	f.wantNone("something ")
	f.wantNone("")
}

func recordComesBackAsWritten(f *fixture) {
	metadata := map[string]string{"content-type": "text/plain", "": "empty", "empty": ""}
	revision := f.put("a", "1", persistence.Metadata(metadata))
	r := f.get("a")
	if r.Key != "a" || string(r.Value) != "1" || !maps.Equal(r.Metadata, metadata) || r.Revision != revision || !r.Expires.IsZero() {
		f.Errorf("Get returns %+v, want value 1, revision %d and metadata %v", r, revision, metadata)
	}
	revision = f.put("a", "2")
	if r := f.get("a"); string(r.Value) != "2" || len(r.Metadata) > 0 || r.Revision != revision {
		f.Errorf("Get returns %+v, want value 2, revision %d and no metadata", r, revision)
	}
	if _, err := persistence.Delete(f.Context(), f, "a"); err != nil {
		f.Fatal(err)
	}
	f.wantNone("a")
}

func anyKeyAndValueIsKept(f *fixture) {
	keys := []string{
		"", "\x00", "\x00\x00", "\xff", "\xff\xff", "a", "a\x00", "a\x00b", "a\xff", "!badger!txn", "é\xc3\x28",
		strings.Repeat("k", persistence.MaxKeySize-100), strings.Repeat("\xff", persistence.MaxKeySize-100),
	}
	values := [][]byte{nil, {0}, {0xff}, []byte("\xc3\x28"), bytes.Repeat([]byte{0xff, 0}, 1<<19)}
	for i, k := range keys {
		f.put(k, string(values[i%len(values)]))
	}
	for i, k := range keys {
		if r := f.get(k); r.Key != k || !bytes.Equal(r.Value, values[i%len(values)]) {
			f.Errorf("Get(%.20q) has key %.20q and a value of %d bytes that is not the one of %d", k, r.Key, len(r.Value), len(values[i%len(values)]))
		}
	}
	if n := len(f.list(persistence.Query{})); n != len(keys) {
		f.Errorf("List has %d records, want %d", n, len(keys))
	}
	for _, k := range keys {
		if _, err := persistence.Delete(f.Context(), f, k); err != nil {
			f.Fatal(err)
		}
		f.wantNone(k)
	}
}

func recordBelongsToWhoeverGotIt(f *fixture) {
	f.put("a", "value", persistence.Metadata(map[string]string{"k": "v"}))
	spoil := func(r persistence.Record) {
		for i := range r.Value {
			r.Value[i] = 'x'
		}
		r.Metadata["k"] = "x"
	}
	w := f.watch("", 0)
	c := w.next().Changes[0]
	spoil(persistence.Record{Value: c.Value, Metadata: c.Metadata})
	for range 2 {
		spoil(f.get("a"))
		spoil(f.list(persistence.Query{})[0])
	}
	if r := f.get("a"); string(r.Value) != "value" || r.Metadata["k"] != "v" {
		f.Errorf("Get returns %+v: it was changed by somebody who got it before", r)
	}
	again := f.watch("", 0)
	if c := again.next().Changes[0]; string(c.Value) != "value" || c.Metadata["k"] != "v" {
		f.Errorf("Watch yields %+v: it was changed by somebody who got it before", c)
	}
}

func overlongKeyOrMetadataIsInvalid(f *fixture) {
	key := strings.Repeat("k", persistence.MaxKeySize+1)
	if _, err := persistence.Put(f.Context(), f, key, nil); !errors.Is(err, persistence.ErrInvalid) {
		f.Errorf("Put of a key of %d bytes: %v, want ErrInvalid", len(key), err)
	}
	metadata := persistence.Metadata(map[string]string{"k": strings.Repeat("v", persistence.MaxMetadataSize+1)})
	if _, err := persistence.Put(f.Context(), f, "a", nil, metadata); !errors.Is(err, persistence.ErrInvalid) {
		f.Errorf("Put with metadata of more than %d bytes: %v, want ErrInvalid", persistence.MaxMetadataSize, err)
	}
}

func endedContextEndsEverything(f *fixture) {
	revision := f.put("a", "1")
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	if _, err := f.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		f.Errorf("Get: %v, want the error of the context", err)
	}
	if _, err := f.List(ctx, persistence.Query{}); !errors.Is(err, context.Canceled) {
		f.Errorf("List: %v, want the error of the context", err)
	}
	if _, err := persistence.Put(ctx, f, "a", []byte("2")); !errors.Is(err, context.Canceled) {
		f.Errorf("Put: %v, want the error of the context", err)
	}
	if r := f.get("a"); r.Revision != revision {
		f.Errorf("Put with an ended context changed the record")
	}
}
