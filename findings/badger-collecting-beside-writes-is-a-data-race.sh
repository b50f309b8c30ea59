#!/bin/sh
# Version: github.com/dgraph-io/badger/v4 v4.9.6
# Expected: DB.RunValueLogGC is documented as online: a program that commits transactions in one
#   goroutine and collects in another has no data race.
# Seen: since a collection takes DB.MaxVersion first, it reads the newest version of the
#   memtable under the lock of the DB, which whoever writes to that memtable does not
#   hold. The race detector says so after some collections; one in a few hits the moment
#   between a write and the lock that is taken before the next. Output, with other numbers:
#     WARNING: DATA RACE
#       github.com/dgraph-io/badger/v4.(*DB).MaxVersion()
#       github.com/dgraph-io/badger/v4.(*memTable).Put()
#     a data race after 3 collections
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module example.com/finding

go 1.26
MOD
cat >main.go <<'GO'
// One goroutine overwrites some values, another one collects the value log.
package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
)

func main() {
	o := badger.DefaultOptions(os.Args[1]).WithLogger(nil)
	o.MemTableSize, o.ValueLogFileSize, o.ValueThreshold = 1<<20, 1<<20, 1<<10
	o.NumVersionsToKeep, o.BaseTableSize, o.BaseLevelSize = 1, 1<<20, 1<<20
	db, err := badger.Open(o)
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		value := make([]byte, 8<<10)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_, _ = rand.Read(value)
			err := db.Update(func(t *badger.Txn) error {
				if i%2 == 0 { // fills memtables, so that tables are merged
					return t.Set(fmt.Appendf(nil, "small %d", i%50_000), value[:900])
				}
				return t.Set(fmt.Appendf(nil, "large %d", i%20), value)
			})
			if err != nil {
				log.Fatal(err)
			}
		}
	})
	collections := 0
	for start := time.Now(); time.Since(start) < 60*time.Second && collections < 300; {
		switch err := db.RunValueLogGC(0.5); {
		case err == nil:
			collections++
			fmt.Println("collections:", collections)
		case errors.Is(err, badger.ErrNoRewrite):
			time.Sleep(10 * time.Millisecond)
		default:
			log.Fatal(err)
		}
	}
	close(stop)
	writing.Wait()
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
}
GO
go get github.com/dgraph-io/badger/v4@v4.9.6 >get.log 2>&1 || { cat get.log; exit 1; }
go mod tidy >get.log 2>&1 || { cat get.log; exit 1; }
CGO_ENABLED=1 go build -race -o finding .
GORACE=halt_on_error=1 ./finding "$dir/data" >out.log 2>&1 || true
if grep -q 'DATA RACE' out.log && grep -q 'MaxVersion' out.log; then
	grep -m 1 'DATA RACE' out.log
	grep -o -m 1 'github.com/dgraph-io/badger/v4.*MaxVersion()' out.log | sed 's/^/  /'
	grep -o -m 1 'github.com/dgraph-io/badger/v4.*Put()' out.log | sed 's/^/  /'
	echo "a data race after $(grep -c '^collections' out.log) collections"
	exit 0
fi
tail -5 out.log
echo 'no data race: the finding is out of date'
exit 1
