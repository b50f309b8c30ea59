package engine

import (
	"errors"
	"time"
)

// Behavior is what a process runs. All its methods are called by one goroutine
// at a time. A panic in Started or Receive is a failure of the process; the
// others must not panic.
type Behavior[M any] interface {
	// Started begins an incarnation, before its first message.
	Started()
	// Receive handles one message.
	Receive(m M)
	// Failed reports that Started, Receive or an interrupt panicked with value,
	// or left by runtime.Goexit; value is then ErrGoexit. It runs at once on the
	// goroutine that failed.
	Failed(value any, stack []byte)
	// Supervise decides what becomes of the process that has failed.
	Supervise(value any) Decision
	// Restarting ends an incarnation that failed; Started follows, after its
	// children have stopped.
	Restarting()
	// Stopping tells that the process will end. rest are the messages that no
	// one will handle any more, oldest first.
	Stopping(rest []M)
	// Stopped is the last call, after all children have stopped.
	Stopped()
	// ChildEnded tells that the child with that name has ended. name is the
	// Config.Name of the child behind those of its parents, joined by slashes.
	ChildEnded(name string)
}

// ErrGoexit is the value of a failure by runtime.Goexit.
var ErrGoexit = errors.New("runtime.Goexit was called")

// Directive is what becomes of a process that has failed.
type Directive int

// The directives.
const (
	Restart  Directive = iota // begin a new incarnation
	Resume                    // go on with the same incarnation
	Stop                      // end the process
	Escalate                  // end it, and let the parent fail with the same value
)

// Decision is a directive and, for Restart, how long to wait before.
type Decision struct {
	Directive Directive
	After     time.Duration
}
