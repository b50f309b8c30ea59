// Package storetest holds the conformance suite for implementations of
// persistence.Store: what those who keep data in one rely on, stated as tests.
package storetest
