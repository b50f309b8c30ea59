package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence/version"
)

// maxHandshake bounds a message of the handshake.
const maxHandshake = 4 << 10

// WriteHandshake writes m behind its length, of two bytes.
func WriteHandshake(w io.Writer, m proto.Message) error {
	b, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 2), m)
	if err == nil && len(b)-2 > maxHandshake {
		err = fmt.Errorf("consensus: a handshake of %d bytes", len(b)-2)
	}
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	_, err = w.Write(b)
	return err
}

// readHandshake reads no more than the message.
func readHandshake(r io.Reader, m proto.Message) error {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint16(head[:])
	if n > maxHandshake {
		return fmt.Errorf("consensus: a handshake of %d bytes; at most %d are allowed", n, maxHandshake)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
}

// EncodeVersion and DecodeVersion are for the messages of the handshake.
func EncodeVersion(v version.Version) *consensuspb.Version {
	return &consensuspb.Version{Major: v.Major, Minor: v.Minor}
}

func DecodeVersion(v *consensuspb.Version) version.Version {
	return version.Version{Major: v.GetMajor(), Minor: v.GetMinor()}
}

// mismatch returns the error of two servers that speak different major versions; nil if
// they do not.
func mismatch(own version.Version, node string, theirs version.Version, peer string) *version.Mismatch {
	if _, ok := own.With(theirs); ok {
		return nil
	}
	return &version.Mismatch{Node: node, Own: own, Peer: peer, Theirs: theirs, What: "the core"}
}

// refusal says why a connection that node has made is not for this server; "" if it is.
func refusal(core, server, node string, hello *consensuspb.Hello) string {
	switch {
	case NodeOf(hello.From) != node:
		return fmt.Sprintf("a connection of node %s says that it is one of %q", node, hello.From)
	case hello.Core != core:
		return fmt.Sprintf("node %s has a replica of core %s, not of %s, which %s is of: two stores have met; stop the nodes of one, and remove their state folders", NodeOf(server), core, hello.Core, hello.From)
	case hello.To != server:
		return fmt.Sprintf("node %s has the server %s of core %s, not %s: it has lost its data, or was never that", NodeOf(server), server, core, hello.To)
	case NodeOf(hello.From) == "" || hello.From == server || NodeOf(hello.From)+"/" == hello.From && hello.Purpose != consensuspb.Hello_BACKUP:
		return fmt.Sprintf("%q is not the ID of another server", hello.From)
	}
	return ""
}

// Greet says hello on a connection, and returns the answer if that is no refusal, and in a
// version that hello's sender speaks. After an error, the connection is of no use. It ends
// with ctx.
func Greet(ctx context.Context, conn net.Conn, hello *consensuspb.Hello) (*consensuspb.Welcome, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	var welcome consensuspb.Welcome
	err := WriteHandshake(conn, hello)
	if err == nil {
		err = readHandshake(conn, &welcome)
	}
	if m := mismatch(DecodeVersion(hello.Version), NodeOf(hello.From), DecodeVersion(welcome.Version), NodeOf(hello.To)); err == nil && m != nil {
		err = fmt.Errorf("%w by %s: %w", ErrRefused, hello.To, m)
	}
	if err == nil && welcome.Refusal != "" {
		err = fmt.Errorf("%w by %s: %s", ErrRefused, hello.To, welcome.Refusal)
	}
	if !stop() && err == nil {
		err = ctx.Err() // the deadline may yet be set
	}
	return &welcome, err
}

// ErrRefused says that the other server does not want the connection, or what was asked
// for with it.
var ErrRefused = errors.New("consensus: refused")

// NodeOf returns the node of a server, whose ID is "<node>/<8 hex digits>"; "" of what is
// none.
func NodeOf(server string) string {
	i := strings.LastIndexByte(server, '/')
	return server[:max(i, 0)]
}
