// Package catalogpb is generated from catalog.proto.
package catalogpb

//go:generate protoc -I ../../.. --go_out=../../.. --go_opt=paths=source_relative cluster/internal/catalogpb/catalog.proto
