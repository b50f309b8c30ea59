// Package networktest holds the conformance suite for implementations of
// cluster.Network: what a node relies on, stated as tests.
package networktest
