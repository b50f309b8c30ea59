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
	Supersedes  uint64    // incarnation of a former process known to be dead, or zero
	Protocol    uint32    // version of what the node speaks, as configured
	Extra       string    // as configured
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
	metaSupersedes  protowire.Number = 4
	metaProtocol    protowire.Number = 5
	metaExtra       protowire.Number = 6
)

// encodeMeta returns what memberlist carries about a member, at most
// memberlist.MetaMaxSize bytes.
func encodeMeta(m Member) []byte {
	b := []byte{wireFormat}
	b = appendBytes(b, metaNode, m.Node)
	b = appendFixed(b, metaIncarnation, m.Incarnation)
	b = appendFixed(b, metaStarted, uint64(m.Started.UnixNano()))
	if m.Supersedes != 0 {
		b = appendFixed(b, metaSupersedes, m.Supersedes)
	}
	if m.Protocol != 0 {
		b = appendFixed(b, metaProtocol, uint64(m.Protocol))
	}
	if m.Extra != "" {
		b = appendBytes(b, metaExtra, m.Extra)
	}
	return b
}

// decodeMeta is the inverse of encodeMeta. It keeps nothing of b.
func decodeMeta(b []byte, address netip.AddrPort) (Member, error) {
	m := Member{Address: address.String()}
	var protocol uint64
	err := decodeFields(b, func(num protowire.Number, number uint64, bytes []byte) {
		switch num {
		case metaNode:
			m.Node = string(bytes)
		case metaIncarnation:
			m.Incarnation = number
		case metaStarted:
			m.Started = time.Unix(0, int64(number))
		case metaSupersedes:
			m.Supersedes = number
		case metaProtocol:
			protocol = number
		case metaExtra:
			m.Extra = string(bytes)
		}
	})
	m.Protocol = uint32(protocol)
	switch {
	case err != nil:
		return Member{}, err
	case !validNode(m.Node), m.Incarnation == 0, m.Started.IsZero(),
		uint64(m.Protocol) != protocol, len(m.Extra) > MaxExtraLen:
		return Member{}, fmt.Errorf("%w: member metadata is incomplete or out of bounds", errMalformed)
	}
	return m, nil
}
