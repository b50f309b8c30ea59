package badger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// A store on disk: what a write has acknowledged is there when it is opened again.
func ExampleOpen() {
	ctx := context.Background()
	temp, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(temp)
	config := badger.Config{Dir: filepath.Join(temp, "data")}
	for _, value := range []string{"1", "2"} {
		store, err := badger.Open(ctx, config)
		if err != nil {
			fmt.Println(err)
			return
		}
		record, err := store.Get(ctx, "a")
		if !errors.Is(err, persistence.ErrNotFound) {
			fmt.Println(string(record.Value), err)
		}
		fmt.Println(persistence.Put(ctx, store, "a", []byte(value)))
		fmt.Println(store.Close())
	}
	// Output:
	// 1 <nil>
	// <nil>
	// 1 <nil>
	// 2 <nil>
	// <nil>
}

// A full backup, and what has changed since, brought into a new store.
func ExampleStore_Backup() {
	ctx := context.Background()
	store, err := badger.Open(ctx, badger.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	var full, more bytes.Buffer // files, usually
	put := func(key, value string) {
		if _, err := persistence.Put(ctx, store, key, []byte(value)); err != nil {
			fmt.Println(err)
		}
	}
	put("a", "1")
	put("b", "2")
	until, err := store.Backup(ctx, &full, 0)
	fmt.Println("full, up to revision", until, err)
	put("a", "3")
	until, err = store.Backup(ctx, &more, until)
	fmt.Println("the rest, up to revision", until, err)

	restored, err := badger.Open(ctx, badger.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer restored.Close()
	fmt.Println(restored.Restore(ctx, &full), restored.Restore(ctx, &more))
	records, err := restored.List(ctx, persistence.Query{})
	for _, r := range records {
		fmt.Println(r.Key, string(r.Value), r.Revision)
	}
	fmt.Println(err)
	// Output:
	// full, up to revision 2 <nil>
	// the rest, up to revision 3 <nil>
	// <nil> <nil>
	// a 3 3
	// b 2 2
	// <nil>
}

// An encrypted store gets another key when it is opened with both, once.
func ExampleConfig_keyRotation() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32) // 32 random bytes each
	open := func(key, previous []byte) error {
		store, err := badger.Open(ctx, badger.Config{Dir: dir, EncryptionKey: key, PreviousKey: previous})
		if err != nil {
			return err
		}
		return store.Close()
	}
	fmt.Println("new:", open(first, nil))
	fmt.Println("rotated:", open(second, first))
	fmt.Println("with the second:", open(second, nil))
	fmt.Println("with the first is refused:", errors.Is(open(first, nil), persistence.ErrInvalid))
	// Output:
	// new: <nil>
	// rotated: <nil>
	// with the second: <nil>
	// with the first is refused: true
}

// Counters and gauges, to be published by whatever the program has for that.
func ExampleStore_Stats() {
	ctx := context.Background()
	store, err := badger.Open(ctx, badger.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if _, err := persistence.Put(ctx, store, "a", []byte("1")); err != nil {
		fmt.Println(err)
	}
	_, err = persistence.CompareAndSwap(ctx, store, "a", 0, []byte("2"))
	fmt.Println(errors.Is(err, persistence.ErrConflict))
	stats := store.Stats()
	fmt.Println(stats.Transactions, "committed,", stats.Conflicts, "conflict, at revision", stats.Revision)
	// Output:
	// true
	// 1 committed, 1 conflict, at revision 1
}
