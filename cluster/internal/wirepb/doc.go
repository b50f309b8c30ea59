// Package wirepb is the schema of the traffic between nodes, wire.proto, and the
// Go code generated from it.
//
// Nodes read and write this format with package wire, which does not allocate
// for each message. The generated code is for tests, which hold the two
// together, and for tools.
package wirepb

//go:generate protoc -I ../../.. --go_out=../../.. --go_opt=paths=source_relative cluster/internal/wirepb/wire.proto
