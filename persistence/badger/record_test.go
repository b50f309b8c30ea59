package badger

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func FuzzDecodeRecord(f *testing.F) {
	f.Add("key", encodeRecord(nil, &persistence.Record{Key: "key", Value: []byte("value"), Revision: 1, Metadata: map[string]string{"a": "b"}, Expires: time.Unix(1, 0)}))
	f.Add("", encodeRecord(nil, &persistence.Record{}))
	f.Add("key", []byte{recordFormat})
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		r, err := decodeRecord(key, data)
		if err != nil {
			return
		}
		if again := encodeRecord(nil, &r); !bytes.Equal(again, data) {
			// Only numbers in longer forms, and pairs in another order, differ.
			same, err := decodeRecord(key, again)
			if err != nil || same.Revision != r.Revision || !bytes.Equal(same.Value, r.Value) || !maps.Equal(same.Metadata, r.Metadata) {
				t.Errorf("%+v becomes %+v, %v", r, same, err)
			}
		}
	})
}

func FuzzDecodeLog(f *testing.F) {
	entries := []logEntry{
		{revision: 1, at: time.Unix(1, 0), changes: []loggedChange{{changePut, "a"}, {changeDelete, ""}}},
		{revision: 2, at: time.Unix(2, 0), changes: []loggedChange{{changeExpire, "b"}}},
	}
	f.Add(uint64(1), uint64(2), encodeLog(entries))
	f.Add(uint64(7), uint64(7), encodeBase())
	f.Add(uint64(0), ^uint64(0), []byte{logFormat, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, first, last uint64, data []byte) {
		if first > last {
			return
		}
		entries, base, err := decodeLog(persistence.Revision(first), persistence.Revision(last), last, data)
		if err == nil && !base && uint64(len(entries)) != last-first+1 {
			t.Errorf("%d entries from %d to %d", len(entries), first, last)
		}
	})
}

func FuzzDecodeMark(f *testing.F) {
	f.Add(encodeMark(0))
	f.Add(encodeMark(77))
	f.Add(make([]byte, markSlotSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < markSlotSize {
			return
		}
		if r, ok := decodeMark(b); ok && !bytes.Equal(encodeMark(r), b[:markSlotSize]) {
			t.Errorf("%x is revision %d, which is %x", b, r, encodeMark(r))
		}
	})
}

// FuzzKeysAndValues writes whatever it is given, next to other records, and reads it
// back in all ways.
func FuzzKeysAndValues(f *testing.F) {
	s, err := Open(context.Background(), Config{})
	must(f, err)
	f.Cleanup(func() { must(f, s.Close()) })
	f.Add("", []byte(nil), "", "")
	f.Add("\xff\xff", []byte{0xff}, "\xff", "\xc3\x28")
	f.Add("a\x00\x01b", bytes.Repeat([]byte{0}, 1<<20), "a\x00", "k")
	f.Add("!badger!", []byte("x"), "namespace", "v")
	f.Fuzz(func(t *testing.T, key string, value []byte, name, meta string) {
		ctx := t.Context()
		if len(key)+len(name) > persistence.MaxKeySize/2 || len(meta) > persistence.MaxMetadataSize/2 || len(value) > 1<<20 {
			return
		}
		for _, store := range []persistence.Store{s, persistence.Namespace(s, name)} {
			before, err := persistence.Latest(ctx, store)
			must(t, err)
			r, err := persistence.Put(ctx, store, key, value, persistence.Metadata(map[string]string{meta: meta}))
			must(t, err)
			check := func(how string, k string, v []byte, m map[string]string) {
				t.Helper()
				if k != key || !bytes.Equal(v, value) || m[meta] != meta {
					t.Errorf("%s: %q with %d bytes and %q, want %q with %d bytes and %q", how, k, len(v), m, key, len(value), meta)
				}
			}
			got, err := store.Get(ctx, key)
			must(t, err)
			check("Get", got.Key, got.Value, got.Metadata)
			for _, q := range []persistence.Query{{Prefix: key, Limit: 1}, {Prefix: key, Suffix: key, Limit: 1}} {
				records, err := store.List(ctx, q)
				must(t, err)
				check("List", records[0].Key, records[0].Value, records[0].Metadata)
			}
			for c, err := range store.Watch(ctx, key, before) {
				must(t, err)
				check("Watch", c.Changes[0].Key, c.Changes[0].Value, c.Changes[0].Metadata)
				break
			}
			if _, err := persistence.CompareAndSwap(ctx, store, key, r-1, nil); !errors.Is(err, persistence.ErrConflict) {
				t.Errorf("CompareAndSwap of another revision: %v", err)
			}
			_, err = persistence.Delete(ctx, store, key)
			must(t, err)
			if _, err := store.Get(ctx, key); !errors.Is(err, persistence.ErrNotFound) {
				t.Errorf("Get after Delete: %v", err)
			}
		}
	})
}

func TestDamagedRecordIsAnError(t *testing.T) {
	s := openStore(t, Config{})
	put(t, s, "a", "value")
	_, err := s.submit(t.Context(), false, func(b *batch) (persistence.Revision, error) {
		b.last++
		b.set(recordKey("a"), []byte("not what was written"))
		b.logged = append(b.logged, logEntry{revision: b.last})
		return b.last, b.flush()
	})
	must(t, err)
	if r, err := s.Get(t.Context(), "a"); !errors.Is(err, persistence.ErrCorrupt) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("Get of a damaged record: %+v, %v, want ErrCorrupt that names the key", r, err)
	}
	if records, err := s.List(t.Context(), persistence.Query{}); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("List with a damaged record: %+v, %v, want ErrCorrupt", records, err)
	}
	if _, err := persistence.Delete(t.Context(), s, "a"); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("Delete of a damaged record: %v, want ErrCorrupt", err)
	}
	put(t, s, "a", "new")
	wantValue(t, s, "a", "new")
}
