package discovery

import (
	"net"
	"testing"
)

// NewResolver lets the conformance tests, which import package cluster, use newResolver.
func NewResolver(t *testing.T, records ...string) *net.Resolver { return newResolver(t, records...) }

// RequireMulticast lets the conformance tests use requireMulticast.
func RequireMulticast(t *testing.T) { requireMulticast(t) }
