package badgerfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// memtableFile builds a log as Badger writes them.
type memtableFile struct{ bytes.Buffer }

func newMemtableFile() *memtableFile {
	var f memtableFile
	f.Write(make([]byte, LogHeaderSize))
	return &f
}

func (f *memtableFile) entry(meta byte, key []byte, version uint64, value []byte) {
	key = binary.BigEndian.AppendUint64(bytes.Clone(key), ^version)
	e := []byte{meta, 0}
	e = binary.AppendUvarint(e, uint64(len(key)))
	e = binary.AppendUvarint(e, uint64(len(value)))
	e = binary.AppendUvarint(e, 0)
	e = append(append(e, key...), value...)
	f.Write(binary.BigEndian.AppendUint32(e, crc32.Checksum(e, castagnoli())))
}

// logKey is how a store of the tests says which revisions a transaction has.
func logKey(first, last persistence.Revision) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("log"), uint64(first)), uint64(last))
}

func revisionsOf(key, value []byte) (first, last persistence.Revision, all, ok bool) {
	rest, ok := bytes.CutPrefix(key, []byte("log"))
	if !ok || len(rest) != 16 {
		return 0, 0, false, false
	}
	first, last = persistence.Revision(binary.BigEndian.Uint64(rest)), persistence.Revision(binary.BigEndian.Uint64(rest[8:]))
	return first, last, string(value) == "all", first <= last
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// transaction appends one of ours, or some that are together.
func (f *memtableFile) transaction(first, last persistence.Revision) {
	f.entry(metaTxn, []byte("k"), uint64(last), []byte("v"))
	f.entry(metaTxn, logKey(first, last), uint64(last), []byte("log"))
	f.end(last)
}

func (f *memtableFile) end(last persistence.Revision) {
	f.entry(metaEndOfTxn, []byte("!badger!txn"), uint64(last), fmt.Append(nil, last))
}

func (f *memtableFile) revisions(first, last persistence.Revision) *memtableFile {
	for r := first; r <= last; r++ {
		f.transaction(r, r)
	}
	return f
}

// memtables are the logs of memtables in a folder, and what becomes of them.
type memtables struct {
	name    string
	tables  persistence.Revision // the last one in them
	durable persistence.Revision
	files   []*memtableFile
	names   int   // the file that the error names, from 1; 0 for none, -1 for the manifest
	left    []int // the files that stay
}

func wholeMemtables() []memtables {
	return []memtables{
		{name: "nothing"},
		{name: "whole", durable: 9, files: []*memtableFile{newMemtableFile().revisions(1, 5), newMemtableFile().revisions(6, 9)}, left: []int{1, 2}},
		{name: "partly in tables", tables: 7, durable: 9, files: []*memtableFile{newMemtableFile().revisions(3, 9)}, left: []int{1}},
		{name: "all in tables", tables: 9, durable: 9, files: []*memtableFile{newMemtableFile().revisions(3, 9), newMemtableFile()}, left: []int{1, 2}},
		{name: "together", durable: 9, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile()
			f.transaction(1, 4)
			f.transaction(5, 9)
			return f
		}()}, left: []int{1}},
		{name: "end is missing", durable: 9, files: []*memtableFile{newMemtableFile().revisions(1, 8)}, names: 1},
		{name: "unsynced end is missing", durable: 7, files: []*memtableFile{newMemtableFile().revisions(1, 8)}, left: []int{1}},
		{name: "synced hole", durable: 9, files: []*memtableFile{newMemtableFile().revisions(1, 4), newMemtableFile().revisions(6, 9)}, names: 1},
		{name: "unsynced hole", durable: 4, files: []*memtableFile{newMemtableFile().revisions(1, 4), newMemtableFile().revisions(6, 9), newMemtableFile()}, left: []int{1}},
		{name: "hole in a log", durable: 4, files: []*memtableFile{newMemtableFile().revisions(1, 4).revisions(6, 9)}, names: 1},
		{name: "hole before the logs", tables: 3, durable: 9, files: []*memtableFile{newMemtableFile().revisions(5, 9)}, names: -1},
		{name: "no log", tables: 3, durable: 9, names: -1},
	}
}

func brokenMemtables() []memtables {
	large := binary.NativeEndian.AppendUint32(nil, 1)
	large = binary.NativeEndian.AppendUint32(large, 100)
	large = binary.NativeEndian.AppendUint32(large, 5000)
	return []memtables{
		{name: "half a transaction", durable: 4, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile().revisions(1, 4)
			f.entry(metaTxn, logKey(5, 5), 5, nil)
			return f
		}()}, left: []int{1}},
		{name: "two transactions mixed", durable: 6, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile().revisions(1, 4)
			f.entry(metaTxn, logKey(5, 5), 5, nil)
			f.revisions(6, 6)
			return f
		}()}, names: 1},
		{name: "wrong end", durable: 5, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile().revisions(1, 4)
			f.entry(metaTxn, logKey(5, 5), 5, nil)
			f.end(6)
			return f
		}()}, names: 1},
		{name: "moved value", durable: 5, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile().revisions(1, 4)
			f.entry(0, []byte("moved"), 2, nil)
			return f.revisions(5, 5)
		}()}, left: []int{1}},
		{name: "new beginning", durable: 90, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile()
			f.entry(metaTxn, logKey(90, 90), 90, []byte("all"))
			f.end(90)
			return f.revisions(91, 93)
		}()}, left: []int{1}},
		{name: "synced value is missing", durable: 5, files: []*memtableFile{func() *memtableFile {
			f := newMemtableFile().revisions(1, 4)
			f.entry(metaTxn|metaPointer, []byte("large"), 5, large)
			f.entry(metaTxn, logKey(5, 5), 5, nil)
			f.end(5)
			return f
		}()}, names: -2},
	}
}

func TestMemtableLogsAreCheckedAgainstWhatWasSynced(t *testing.T) {
	for _, test := range slices.Concat(wholeMemtables(), brokenMemtables()) {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			v := &Verifier{Dir: dir, Durable: test.durable, Log: revisionsOf, ends: map[uint32]int64{1: 5000}}
			path := func(n int) string { return filepath.Join(dir, fmt.Sprintf("%05d.mem", n)) }
			for i, f := range test.files {
				must(t, os.WriteFile(path(i+1), append(f.Bytes(), make([]byte, 1000)...), 0o600))
			}
			err := v.memtables(t.Context(), test.tables)
			switch {
			case test.names == 0:
				must(t, err)
				left, err := LogsIn(dir, MemtableSuffix)
				must(t, err)
				var want []string
				for _, n := range test.left {
					want = append(want, path(n))
				}
				if !slices.Equal(left, want) {
					t.Errorf("%q are left, want %q", left, want)
				}
			case !errors.Is(err, persistence.ErrCorrupt):
				t.Errorf("%v, want ErrCorrupt", err)
			default:
				name := map[int]string{-1: "MANIFEST", -2: "000001.vlog"}[test.names]
				if test.names > 0 {
					name = path(test.names)
				}
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%v, want it to name %s", err, name)
				}
			}
		})
	}
}

func FuzzMemtableLog(f *testing.F) {
	whole := newMemtableFile().revisions(1, 3).Bytes()
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Add(make([]byte, LogHeaderSize))
	f.Add(append(make([]byte, LogHeaderSize), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "00001.mem"), content, 0o600))
		v := &Verifier{Dir: dir, Log: revisionsOf}
		if err := v.memtables(t.Context(), 0); err != nil && !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("%v, want ErrCorrupt or nothing", err)
		}
	})
}
