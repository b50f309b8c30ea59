// Package engine is the seam to protoactor-go, and its only importer.
//
// protoactor keeps what it does well: the registry of processes, the tree of
// parents and children, the order of start, restart and stop, supervision and
// death watch. The hot path is ours: a message of type M goes from [Process.Post]
// through a mailbox.Queue straight to [Behavior.Receive]; protoactor never sees it.
//
// What this package guards against is listed in docs/adr/0002-engine-seam.md.
package engine
