package cluster

import (
	"log/slog"
	"sync/atomic"
)

// Wait is something that may take long, of which the log then knows. See [Node.Waiting].
// Because and Done are for one goroutine; they do nothing on nil.
type Wait struct {
	node   *Node
	level  slog.Leveler
	what   string
	reason atomic.Pointer[error]
	done   func() // nil before it has begun
}

// Waiting returns a Wait, for extensions. From two seconds after its first [Wait.Because] on,
// and rarely after that, the log says that it goes on, and the last reason: once for all with
// the same text what, such as `publishing to "orders" waits`. Call [Wait.Done] when it is over.
func (n *Node) Waiting(level slog.Leveler, what string) *Wait {
	return &Wait{node: n, level: level, what: what}
}

// Because says why it is still waited, and what to do about it; the first time the wait begins.
func (w *Wait) Because(reason error) {
	if w == nil {
		return
	}
	w.reason.Store(&reason)
	if w.done == nil {
		w.done = w.node.waits.Begin(w.node.log, w.level, w.what, func() string { return (*w.reason.Load()).Error() })
	}
}

// Done ends the wait. It may begin again.
func (w *Wait) Done() {
	if w != nil && w.done != nil {
		w.done()
		w.done = nil
	}
}
