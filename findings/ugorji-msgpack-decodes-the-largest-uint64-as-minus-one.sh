#!/bin/sh
# Version: github.com/ugorji/go/codec v1.3.2
# Expected: a MessagePack integer that does not fit into the Go type that it is decoded into
#   is an error, for all values alike: the JSON handle of the same package says so, and the
#   MessagePack handle does for 300 in an int8.
# Seen: an unsigned 64-bit integer above the largest int64 is taken for a negative one before
#   it is compared with the type: it comes back as -1, without an error, in an int64, in an
#   int32, and even in a float64. Output:
#     300 as an int8: an error
#     18446744073709551615 as an int32: -1
#     18446744073709551615 as an int64: -1
#     18446744073709551615 as a float64: -1
#     18446744073709551615 as an int64, of JSON: an error
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module example.com/finding

go 1.26
MOD
cat >main.go <<'GO'
// An integer is encoded as one Go type and decoded as another one.
package main

import (
	"fmt"
	"log"
	"math"

	"github.com/ugorji/go/codec"
)

func as[T any](h codec.Handle, value any) string {
	var data []byte
	if err := codec.NewEncoderBytes(&data, h).Encode(value); err != nil {
		log.Fatal(err)
	}
	var got T
	if err := codec.NewDecoderBytes(data, h).Decode(&got); err != nil {
		return "an error"
	}
	return fmt.Sprint(got)
}

func main() {
	h := new(codec.MsgpackHandle)
	const largest = uint64(math.MaxUint64)
	fmt.Println("300 as an int8:", as[int8](h, 300))
	fmt.Printf("%d as an int32: %s\n", largest, as[int32](h, largest))
	fmt.Printf("%d as an int64: %s\n", largest, as[int64](h, largest))
	fmt.Printf("%d as a float64: %s\n", largest, as[float64](h, largest))
	fmt.Printf("%d as an int64, of JSON: %s\n", largest, as[int64](new(codec.JsonHandle), largest))
}
GO
go get github.com/ugorji/go/codec@v1.3.2 >get.log 2>&1 || { cat get.log; exit 1; }
go mod tidy >get.log 2>&1 || { cat get.log; exit 1; }
go run . | tee out.log
grep -qx '18446744073709551615 as an int64: -1' out.log && exit 0
echo 'it is no longer -1: the finding is out of date'
exit 1
