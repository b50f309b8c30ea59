// Package cluster joins processes into a cluster of nodes.
package cluster
