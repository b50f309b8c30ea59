package gossip

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Member is one start of a node's process. Members are comparable with ==.
type Member struct {
	Node        string    // name of the node
	Incarnation uint64    // which start of the node this is; never zero
	Address     string    // "ip:port" for packets and streams
	Started     time.Time // when the process started, by its own clock
}

// name is the member's name in memberlist.
func (m Member) name() string { return memberName(m.Node, m.Incarnation) }

func memberName(node string, incarnation uint64) string {
	return node + "~" + strconv.FormatUint(incarnation, 16)
}

func validNode(node string) bool {
	if node == "" || len(node) > MaxNodeLen || !utf8.ValidString(node) {
		return false
	}
	for _, r := range node {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Field numbers of a member's metadata. The address is not part of it:
// memberlist carries that.
const (
	metaNode        protowire.Number = 1
	metaIncarnation protowire.Number = 2
	metaStarted     protowire.Number = 3
)

// encodeMeta returns what memberlist carries about a member, at most
// memberlist.MetaMaxSize bytes.
func encodeMeta(m Member) []byte {
	b := []byte{wireFormat}
	b = appendBytes(b, metaNode, m.Node)
	b = appendFixed(b, metaIncarnation, m.Incarnation)
	return appendFixed(b, metaStarted, uint64(m.Started.UnixNano()))
}

// decodeMeta is the inverse of encodeMeta. It keeps nothing of b.
func decodeMeta(b []byte, address netip.AddrPort) (Member, error) {
	m := Member{Address: address.String()}
	err := decodeFields(b, func(num protowire.Number, number uint64, bytes []byte) {
		switch num {
		case metaNode:
			m.Node = string(bytes)
		case metaIncarnation:
			m.Incarnation = number
		case metaStarted:
			m.Started = time.Unix(0, int64(number))
		}
	})
	switch {
	case err != nil:
		return Member{}, err
	case !validNode(m.Node), m.Incarnation == 0, m.Started.IsZero():
		return Member{}, fmt.Errorf("%w: member metadata is incomplete or out of bounds", errMalformed)
	}
	return m, nil
}
