// Package consensuspb is generated from entry.proto, request.proto and transaction.proto.
package consensuspb

//go:generate protoc -I ../../.. --go_out=../../.. --go_opt=paths=source_relative cluster/internal/consensuspb/entry.proto cluster/internal/consensuspb/request.proto cluster/internal/consensuspb/transaction.proto
