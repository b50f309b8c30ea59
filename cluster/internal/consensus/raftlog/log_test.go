package raftlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

func openTestLog(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(context.Background(), badger.Config{Dir: dir}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func entries(from, to uint64, size int) []*raft.Log {
	var all []*raft.Log
	for i := from; i <= to; i++ {
		all = append(all, &raft.Log{Index: i, Term: i / 10, Data: bytes.Repeat([]byte{byte(i)}, size), AppendedAt: time.Unix(int64(i), 0)})
	}
	return all
}

func (l *Log) want(t *testing.T, first, last uint64) {
	t.Helper()
	a, _ := l.FirstIndex()
	b, _ := l.LastIndex()
	if a != first || b != last {
		t.Errorf("the log is from %d to %d, want %d to %d", a, b, first, last)
	}
	for i := first; i <= last && i > 0; i++ {
		var e raft.Log
		if err := l.GetLog(i, &e); err != nil || e.Index != i || e.Term != i/10 || !e.AppendedAt.Equal(time.Unix(int64(i), 0)) {
			t.Fatalf("entry %d: %+v, %v", i, e, err)
		}
	}
	for _, i := range []uint64{0, first - 1, last + 1} {
		if err := l.GetLog(i, new(raft.Log)); i < first || i > last {
			if err != raft.ErrLogNotFound { //nolint:errorlint // raft compares it so
				t.Errorf("entry %d, which is not there: %v", i, err)
			}
		}
	}
}

func TestLogKeepsEntriesBetweenItsEnds(t *testing.T) {
	dir := t.TempDir()
	l := openTestLog(t, dir)
	l.want(t, 0, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.StoreLogs(entries(1, 6000, 10)))
	l.want(t, 1, 6000)
	must(l.DeleteRange(5001, 6000)) // a suffix that others do not agree with
	must(l.DeleteRange(0, 3000))    // a prefix that is in a snapshot
	l.want(t, 3001, 5000)
	must(l.StoreLog(entries(5001, 5001, 10)[0]))
	must(l.DeleteRange(9000, 9001))
	must(l.Close())
	l = openTestLog(t, dir)
	l.want(t, 3001, 5001)
	must(l.DeleteRange(3001, 5001))
	l.want(t, 0, 0)
	must(l.StoreLogs(entries(9000, 9001, 10)))
	l.want(t, 9000, 9001)
}

// largest is the size of a large entry.
const largest = 1536 << 10

func TestLogTakesABatchOfLargeEntries(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		l := openTestLog(t, dir)
		if err := l.StoreLogs(entries(1, 20, largest)); err != nil {
			t.Fatal(err)
		}
		l.want(t, 1, 20)
	}
}

func TestLogRemembersTermsAndVotes(t *testing.T) {
	dir := t.TempDir()
	l := openTestLog(t, dir)
	if n, err := l.GetUint64([]byte("term")); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if v, err := l.Get([]byte("vote")); v != nil || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if err := errors.Join(l.SetUint64([]byte("term"), 7), l.Set([]byte("vote"), []byte("b")), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = openTestLog(t, dir)
	if n, err := l.GetUint64([]byte("term")); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if v, err := l.Get([]byte("vote")); string(v) != "b" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

func TestLogTellsOfAnEntryThatCannotBeRead(t *testing.T) {
	var told []error
	l, err := Open(context.Background(), badger.Config{}, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i, data := range [][]byte{{0xff}, {2 << 3, 99}} { // not a record; of an unknown type
		index := uint64(i + 1)
		t1 := persistence.Transaction{Then: []persistence.Change{{Key: entryKey(index), Value: data}}}
		if _, err := l.store.Commit(t.Context(), t1); err != nil {
			t.Fatal(err)
		}
		var e raft.Log
		if err := l.GetLog(index, &e); err != nil || e.Type != raft.LogNoop || len(told) != i+1 {
			t.Errorf("entry %+v, error %v, told %v", e, err, told)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, e := range entries(1, 3, 5) {
		data, _ := encodeRecord(e)
		f.Add(data)
	}
	configuration := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a/1", Address: "a/1"}}})
	data, _ := encodeRecord(&raft.Log{Type: raft.LogConfiguration, Data: configuration})
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeRecord(7, data)
		if err != nil {
			return
		}
		again, err := encodeRecord(&e)
		if err != nil {
			t.Fatal(err)
		}
		f, err := decodeRecord(7, again)
		if err != nil || fmt.Sprint(f) != fmt.Sprint(e) {
			t.Errorf("%v becomes %v, %v", e, f, err)
		}
	})
}
