package transport

import (
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// The causes that an [*Error] wraps where this node knows them.
var (
	// ErrQueueFull says that the lane to the receiver holds Config.QueueBytes.
	ErrQueueFull = errors.New("the queue to the node is full: send less, or wait for answers")
	// ErrReceiverFull says that as much waits for the receiver, over there, as may.
	ErrReceiverFull = errors.New("the receiver has no room: send it less, or wait for room with a context")
	// ErrTooLarge says that a message exceeds Config.MaxMessage, of this node or
	// of the other one, or that its names exceed 64 KiB.
	ErrTooLarge = errors.New("the message is too large: split it, or raise the limit on every node")
	// ErrUnreachable says that no connection to the node could be made; while
	// the transport waits before it tries again, sends fail with it at once.
	ErrUnreachable = errors.New("the node cannot be reached")
	// ErrReplaced says that another incarnation of the node runs at the
	// address: this one is gone for good, and its Peer should be closed.
	ErrReplaced = errors.New("the node has restarted: look its new incarnation up")
	// ErrVersion says that the node speaks another major version of the link, so that
	// nothing was sent to it. It wraps a [version.Mismatch], and stays until the Peer is
	// closed: an incarnation does not change its version.
	ErrVersion = errors.New("the node speaks another major version")
	// ErrBroken says that the connection to the node broke.
	ErrBroken = errors.New("the connection to the node broke")
	// ErrHangs says that the process of the node reads and sends nothing, while its
	// connection stands: it is paused, or gets no CPU. It may go on at any time.
	ErrHangs = errors.New("the node's process does not react: it is paused, or gets no CPU")
	// ErrClosed says that this node's transport was closed.
	ErrClosed = errors.New("this node's transport is closed")
)

// ErrorKind says what an error means for the message.
type ErrorKind int

// The kinds of [Error].
const (
	// NotSent: the message surely did not run; sending it elsewhere is safe.
	NotSent ErrorKind = iota + 1
	// Lost: the link broke while the message was in flight; it may have run.
	Lost
	// Failed: the other node answered with a failure.
	Failed
	// ContextEnded: the caller's context ended first; it may have run.
	ContextEnded
)

// Error is what every send of this package fails with. It is immutable.
type Error struct {
	Kind ErrorKind
	Node string // the peer's name
	// Code, Reason, Text and NotRun are what the other node said; for Failed.
	Code   uint32
	Reason string
	Text   string
	NotRun bool
	// Err is the cause; nil for Failed. It may wrap one of this package's Err
	// values, a context's error, or the reason given to Peer.Close.
	Err error
}

// Error returns the error for a person to read.
func (e *Error) Error() string {
	switch e.Kind {
	case NotSent:
		return fmt.Sprintf("not sent to node %s: %v", e.Node, e.Err)
	case Lost:
		return fmt.Sprintf("lost on the way to node %s, it may have run: %v", e.Node, e.Err)
	case Failed:
		return fmt.Sprintf("node %s answered: %s", e.Node, e.Text)
	default:
		return fmt.Sprintf("no answer from node %s yet: %v", e.Node, e.Err)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func failed(node string, v *wire.View) *Error {
	return &Error{
		Kind: Failed, Node: node,
		Code: v.Code, Reason: string(v.Reason), Text: string(v.Text), NotRun: v.NotRun,
	}
}
