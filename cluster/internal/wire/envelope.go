package wire

import "google.golang.org/protobuf/encoding/protowire"

// Kind says what an envelope is.
type Kind int32

// The kinds of envelope. The first five travel from the node that opened the
// stream, the others come back. Room is there since version 1.1. A receiver passes over a kind it does not know.
const (
	Cast       Kind = 1 // a message that nobody waits for
	Call       Kind = 2 // a message whose sender waits for a Reply or Failure
	Cancel     Kind = 3 // the sender of the Call with this ID no longer waits
	Watch      Kind = 4 // asks for Terminated when the actor ends
	Unwatch    Kind = 5 // takes the Watch with this ID back
	Reply      Kind = 6 // the answer to the Call with this ID
	Failure    Kind = 7 // the Call or Watch with this ID failed
	Terminated Kind = 8 // the actor watched with this ID has ended
	Room       Kind = 9 // up to which Total this stream may send Casts to this receiver
)

// String returns the kind's name in lower case, or "unknown".
func (k Kind) String() string {
	switch k {
	case Cast:
		return "cast"
	case Call:
		return "call"
	case Cancel:
		return "cancel"
	case Watch:
		return "watch"
	case Unwatch:
		return "unwatch"
	case Reply:
		return "reply"
	case Failure:
		return "failure"
	case Terminated:
		return "terminated"
	case Room:
		return "room"
	}
	return "unknown"
}

// Envelope is one message as its sender has it. The zero value of a field is
// not sent. Strings should be UTF-8: Go receivers do not check, but protobuf
// tools in other languages refuse anything else.
type Envelope struct {
	Kind        Kind
	ID          uint64 // pairs a Call or Watch with what answers it
	To          string // the receiver: an actor's path or a service
	UID         uint64 // incarnation of the receiving actor, 0 for any
	From        string // the sender, empty when it is no actor
	Message     string // name of the message's type
	ContentType string // encoding of Payload
	Payload     []byte
	Timeout     uint64 // nanoseconds left to a Call, 0 for none
	Code        uint32 // error code of a Failure, of the gRPC set
	Reason      string // cause in a word, of a Failure or Terminated
	Text        string // the error for a person to read
	NotRun      bool   // of a Failure: the message surely was not handled
	Chain       []byte // of a Call, of [AppendHop]; for nodes of 1.1
	// Total counts bytes to one receiver on one stream: those sent with this Cast, if that
	// receiver has a bound, or those that a Room allows.
	Total uint64

	// System says that it is between nodes, and not one of an actor, whose largest size
	// is for users to choose. It is not sent.
	System bool
}

// View is one message as its receiver sees it. Its slices are read-only parts of the
// frame.
type View struct {
	Kind        Kind
	ID          uint64
	To          []byte
	UID         uint64
	From        []byte
	Message     []byte
	ContentType []byte
	Payload     []byte
	Timeout     uint64
	Code        uint32
	Reason      []byte
	Text        []byte
	NotRun      bool
	Chain       []byte
	Total       uint64
}

// Numbers of the fields, as in wire.proto.
const (
	frameEnvelopes protowire.Number = 1
	frameAcked     protowire.Number = 2

	fieldKind        protowire.Number = 1
	fieldID          protowire.Number = 2
	fieldTo          protowire.Number = 3
	fieldUID         protowire.Number = 4
	fieldFrom        protowire.Number = 5
	fieldMessage     protowire.Number = 6
	fieldContentType protowire.Number = 7
	fieldPayload     protowire.Number = 8
	fieldTimeout     protowire.Number = 9
	fieldCode        protowire.Number = 10
	fieldReason      protowire.Number = 11
	fieldText        protowire.Number = 12
	fieldNotRun      protowire.Number = 13
	fieldChain       protowire.Number = 14
	fieldTotal       protowire.Number = 15

	chainHops protowire.Number = 1

	hopActor protowire.Number = 1
	hopAsk   protowire.Number = 2
)
