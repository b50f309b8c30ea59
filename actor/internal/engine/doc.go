// Package engine is the seam to protoactor-go, and its only importer.
//
// protoactor keeps what it does well: the registry of processes, the tree of
// parents and children, and the order in which they start, restart and stop. The
// hot path is ours: a message of type M goes from [Process.Post] through a
// mailbox.Queue straight to [Behavior.Receive]; protoactor never sees it.
//
// A failed process is supervised on its own turn. protoactor would ask the
// parent, and a parent that waits for its failed child could then not answer.
//
// What this package guards against is listed in docs/adr/0002-engine-seam.md.
package engine
