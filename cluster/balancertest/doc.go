// Package balancertest tests implementations of cluster.Balancer.
package balancertest
