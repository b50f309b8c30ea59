package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// all takes every record.
func all() Selection {
	return Selection{Look: func(persistence.Record) {}, Take: func(persistence.Record) bool { return true }}
}

func snapshotOf(t testing.TB, r *Replica) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	if _, err := r.Snapshot(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func mustReplace(t testing.TB, r *Replica, e Entry, snapshot io.ReadSeeker, which Selection) Outcome {
	t.Helper()
	o, err := r.Replace(t.Context(), e, snapshot, which)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestReplacingMakesRevisionsGrow(t *testing.T) {
	for _, which := range []string{"the present is further", "the snapshot is further"} {
		t.Run(which, func(t *testing.T) {
			dir := t.TempDir()
			old, onDisk, inMemory := openReplica(t, ""), openReplica(t, dir), openReplica(t, "")
			at := time.Now()
			fill := func(count int, rs ...*Replica) {
				for i := range count {
					for _, r := range rs {
						mustApply(t, r, Entry{Index: r.Applied() + 1, At: at, From: "lane", Sequence: uint64(i + 1), Transactions: []persistence.Transaction{putting(fmt.Sprint("key ", i), "of before")}})
					}
				}
			}
			few, many := []*Replica{old}, []*Replica{onDisk, inMemory}
			if which == "the snapshot is further" {
				few, many = many, few
			}
			fill(3, few...)
			fill(30, many...)
			mustApply(t, old, Entry{Index: old.Applied() + 1, At: at, Transactions: []persistence.Transaction{putting("key 1", "restored"), putting("dropped", "")}})
			kept, err := old.Get(t.Context(), "key 1")
			if err != nil {
				t.Fatal(err)
			}
			snapshot := snapshotOf(t, old)
			var seen int
			some := Selection{
				Look: func(persistence.Record) { seen++ },
				Take: func(r persistence.Record) bool { return r.Key != "dropped" },
			}
			index := onDisk.Applied() + 5
			e := Entry{Index: index, At: at, From: "restorer", Sequence: 1, Transactions: []persistence.Transaction{putting("after", "1")}}
			for _, r := range []*Replica{onDisk, inMemory} {
				_, _ = snapshot.Seek(0, io.SeekStart)
				before := r.Latest()
				seen = 0
				o := mustReplace(t, r, e, snapshot, some)
				if o.Err != nil || o.Revision != max(before, old.Latest())+replaceSkip+1 || o.Revision != r.Latest() {
					t.Errorf("%+v at revision %d, after %d", o, r.Latest(), before)
				}
				records, err := old.List(t.Context(), persistence.Query{})
				if err != nil || seen != len(records) {
					t.Errorf("%d of %d records were looked at, %v", seen, len(records), err)
				}
				if got, err := r.Get(t.Context(), "key 1"); err != nil || string(got.Value) != "restored" || got.Revision != kept.Revision {
					t.Errorf("%+v, %v", got, err)
				}
				if _, err := r.Get(t.Context(), "dropped"); !errors.Is(err, persistence.ErrNotFound) {
					t.Errorf("what was not taken: %v", err)
				}
				for _, after := range []persistence.Revision{0, before} {
					for _, err := range r.Watch(t.Context(), "", after) {
						if !errors.Is(err, persistence.ErrHistoryGone) {
							t.Errorf("a watch from %d: %v", after, err)
						}
						break
					}
				}
				if page, err := r.ListPage(t.Context(), persistence.Query{}, 1, Page{Revision: before, At: at}); !errors.Is(err, persistence.ErrHistoryGone) {
					t.Errorf("the next page of a list of before: %+v, %v", page, err)
				}
				if again := mustReplace(t, r, e, strings.NewReader("not read"), some); again.Revision != 0 {
					t.Errorf("an entry of before: %+v", again)
				}
				e := e
				e.Index++
				if again := mustReplace(t, r, e, strings.NewReader("not read"), some); again != o {
					t.Errorf("the same proposal: %+v, it was %+v", again, o)
				}
				mustApply(t, r, Entry{Index: index + 2, At: at, Transactions: []persistence.Transaction{putting("later", "1")}})
			}
			wantSame(t, "on disk and in memory", contents(t, onDisk), contents(t, inMemory))
			if p := inMemory.known["lane"]; p == nil || p.sequence != map[bool]uint64{true: 3, false: 30}[which == "the snapshot is further"] {
				t.Errorf("what is known of a proposer: %+v", p)
			}
			want := contents(t, onDisk)
			if err := onDisk.Close(); err != nil {
				t.Fatal(err)
			}
			wantSame(t, "opened again", contents(t, openReplica(t, dir)), want)
		})
	}
}

func TestASnapshotThatIsRefusedChangesNothing(t *testing.T) {
	old, r := openReplica(t, ""), openReplica(t, "")
	for i := range 5 {
		mustApply(t, old, Entry{Index: uint64(i + 1), At: time.Now(), Transactions: []persistence.Transaction{putting(fmt.Sprint("key ", i), "old")}})
	}
	mustApply(t, r, Entry{Index: 1, At: time.Now(), Transactions: []persistence.Transaction{putting("stays", "")}})
	index := uint64(1)
	refused := func(what string, stream []byte, want error) {
		t.Helper()
		before := contents(t, r)
		index++
		o := mustReplace(t, r, Entry{Index: index, At: time.Unix(0, r.place.at), From: "restorer", Sequence: 1}, bytes.NewReader(stream), all())
		if !errors.Is(o.Err, want) {
			t.Fatalf("%s: %+v", what, o)
		}
		if err := VerifySnapshot(t.Context(), bytes.NewReader(stream)); !errors.Is(err, want) {
			t.Errorf("%s: VerifySnapshot: %v", what, err)
		}
		before["applied"] = index
		wantSame(t, what, contents(t, r), before)
	}
	whole := make([]byte, snapshotOf(t, old).Len())
	_, _ = snapshotOf(t, old).Read(whole)
	for at := range whole {
		refused(fmt.Sprint("cut at ", at), whole[:at], persistence.ErrCorrupt)
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		refused(fmt.Sprint("changed at ", at), damaged, persistence.ErrCorrupt)
	}
	s, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 { // also without a record
		var other bytes.Buffer
		if _, err := s.Backup(t.Context(), &other, 0); err != nil {
			t.Fatal(err)
		}
		refused("the backup of a store", other.Bytes(), persistence.ErrInvalid)
		if _, err := persistence.Put(t.Context(), s, "k", nil); err != nil {
			t.Fatal(err)
		}
	}
	refused("another format", []byte("PK\x03\x04"), persistence.ErrCorrupt)
	var beyond bytes.Buffer
	out := newBackupWriter(&beyond)
	out.header(backupHeader{revision: mostRevision + 1})
	out.frame(framePlace, r.place.encode())
	out.end()
	refused("a revision without another after it", beyond.Bytes(), persistence.ErrCorrupt)
	if err := VerifySnapshot(t.Context(), bytes.NewReader(whole)); err != nil {
		t.Error(err)
	}
}

// TestReplacingFailsWithItsReader: it is no refusal, which other replicas would not share.
func TestReplacingFailsWithItsReader(t *testing.T) {
	r := openReplica(t, "")
	whole := snapshotOf(t, openReplica(t, ""))
	for _, cause := range []error{persistence.ErrCorrupt, context.Canceled} {
		o, err := r.Replace(t.Context(), Entry{Index: 1}, brokenReader{whole, cause}, all())
		if !errors.Is(err, cause) || r.Applied() != 0 {
			t.Errorf("%+v, %v, applied %d", o, err, r.Applied())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Replace(ctx, Entry{Index: 1}, whole, all()); !errors.Is(err, context.Canceled) || r.Applied() != 0 {
		t.Errorf("a context that has ended: %v, applied %d", err, r.Applied())
	}
}

type brokenReader struct {
	*bytes.Reader
	err error
}

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }
