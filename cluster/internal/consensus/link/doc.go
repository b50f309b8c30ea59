// Package link is what the servers of a core talk over: authenticated connections between
// nodes, each of which begins with a handshake that says which server of which core speaks
// to which other one, in which version, and what for.
package link
