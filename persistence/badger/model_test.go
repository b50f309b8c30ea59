package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// FuzzStoreAgainstModel does what the fuzzer says to a store on disk and one in memory,
// and to a map, and compares them. Each run has a namespace of its own.
func FuzzStoreAgainstModel(f *testing.F) {
	stores := map[string]*Store{}
	for name, config := range map[string]Config{"disk": {Dir: f.TempDir(), MinFree: 1}, "memory": {}} {
		s, err := Open(context.Background(), config)
		must(f, err)
		f.Cleanup(func() { must(f, s.Close()) })
		stores[name] = s
	}
	f.Add([]byte(nil), "", []byte(nil), uint32(0))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, "\xff", []byte{0xff}, uint32(1))
	f.Add([]byte("put, delete, swap, and all that: 0123456789"), "\xc3\x28", []byte("\xc3\x28"), uint32(valueThreshold))
	f.Add(bytes.Repeat([]byte{16, 17, 99, 200, 201, 33, 250, 5}, 8), "a\x00b", []byte{0xff, 0}, uint32(1<<20))
	run := 0
	f.Fuzz(func(t *testing.T, script []byte, key string, content []byte, size uint32) {
		if len(script) > 64 || len(key) > persistence.MaxKeySize/4 || size > 1<<20 {
			return
		}
		value := content
		if len(content) > 0 {
			value = bytes.Repeat(content, 1+int(size)/len(content))[:size]
		}
		run++
		for name, s := range stores {
			m := model{t: t, store: persistence.Namespace(s, fmt.Sprint(run)), records: map[string]persistence.Record{}}
			m.keys = []string{key, "", "\xff", "\xff\xff", "\x00", key + "\x00", key + key, "a"}
			m.values = [][]byte{value, nil, {0xff}, bytes.Repeat([]byte{0xff}, valueThreshold), slices.Concat(value, value)[:len(value)*2/3]}
			for at, b := range script {
				m.step(b)
				if t.Failed() {
					t.Fatalf("%s, step %d of % x with key %.40q and a value of %d bytes", name, at, script, key, len(value))
				}
			}
			m.compare()
		}
	})
}

// model is what a store should have.
type model struct {
	t       *testing.T
	store   persistence.Store
	records map[string]persistence.Record
	keys    []string
	values  [][]byte
}

// step does one thing; three bits of b say what, three to which key.
func (m *model) step(b byte) {
	key := m.keys[b>>3&7]
	value := m.values[int(b)%len(m.values)]
	put := persistence.Change{Key: key, Value: value}
	present, there := m.records[key]
	switch b & 7 {
	case 0, 1:
		m.commit(true, nil, put)
	case 2:
		m.commit(true, nil, persistence.Change{Key: key, Delete: true})
	case 3:
		m.commit(true, []persistence.Condition{{Key: key, Revision: present.Revision}}, put)
	case 4:
		m.commit(false, []persistence.Condition{{Key: key, Revision: present.Revision + 1}}, put)
	case 5: // two at once, if the other one is as it should be
		other := m.keys[(b>>3+1)&7]
		if other == key {
			return
		}
		m.commit(true, []persistence.Condition{{Key: other, Revision: m.records[other].Revision}}, put, persistence.Change{Key: other, Delete: true})
	case 6:
		r, err := m.store.Get(m.t.Context(), key)
		if there != (err == nil) || !there && !errors.Is(err, persistence.ErrNotFound) || there && !same(r, present) {
			m.t.Errorf("Get(%.40q): %d bytes at revision %d, %v, want %d bytes at %d", key, len(r.Value), r.Revision, err, len(present.Value), present.Revision)
		}
	case 7:
		m.list(persistence.Query{Prefix: key, Suffix: m.keys[0], Limit: int(b >> 6), Descending: b>>5&1 > 0})
	}
}

func (m *model) commit(fits bool, conditions []persistence.Condition, changes ...persistence.Change) {
	m.t.Helper()
	r, err := m.store.Commit(m.t.Context(), persistence.Transaction{If: conditions, Then: changes, Unsynced: true})
	if fits != (err == nil) || !fits && !errors.Is(err, persistence.ErrConflict) {
		m.t.Errorf("Commit: %v, want it to fit: %t", err, fits)
	}
	for _, c := range changes {
		switch {
		case !fits:
		case c.Delete:
			delete(m.records, c.Key)
		default:
			m.records[c.Key] = persistence.Record{Key: c.Key, Value: c.Value, Revision: r}
		}
	}
}

func same(a, b persistence.Record) bool {
	return a.Key == b.Key && a.Revision == b.Revision && bytes.Equal(a.Value, b.Value)
}

func (m *model) list(q persistence.Query) {
	m.t.Helper()
	var want []persistence.Record
	for _, key := range slices.Sorted(maps.Keys(m.records)) {
		if strings.HasPrefix(key, q.Prefix) && strings.HasSuffix(key, q.Suffix) {
			want = append(want, m.records[key])
		}
	}
	if q.Descending {
		slices.Reverse(want)
	}
	if q.Limit > 0 {
		want = want[:min(q.Limit, len(want))]
	}
	got, err := m.store.List(m.t.Context(), q)
	if err != nil || !slices.EqualFunc(got, want, same) {
		m.t.Errorf("List(%+v): %d records, %v, want %d", q, len(got), err, len(want))
	}
}

// compare looks at everything, also at what has come to be since the beginning.
func (m *model) compare() {
	m.t.Helper()
	m.list(persistence.Query{})
	m.list(persistence.Query{Descending: true})
	for key, want := range m.records {
		if r, err := m.store.Get(m.t.Context(), key); err != nil || !same(r, want) {
			m.t.Errorf("Get(%.40q): revision %d, %v, want %d", key, r.Revision, err, want.Revision)
		}
	}
}
