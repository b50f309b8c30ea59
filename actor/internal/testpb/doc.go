// Package testpb holds protobuf messages for the tests of package actor, with the
// methods that make them messages of a protocol.
package testpb

//go:generate protoc -I ../../.. --go_out=../../.. --go_opt=paths=source_relative actor/internal/testpb/testpb.proto

// Lobby is the protocol of the messages.
type Lobby struct{}

// ActorProtocol makes Greet a message of Lobby.
func (*Greet) ActorProtocol(Lobby) {}

// ActorReply says that a Greet is answered by a Greeting.
func (*Greet) ActorReply(*Greeting) {}
