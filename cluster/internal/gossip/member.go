package gossip

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-go/troupe/persistence/version"
)

// Member is one start of a node's process. Members are comparable with ==.
type Member struct {
	Node        string    // name of the node
	Incarnation uint64    // which start of the node this is; never zero
	Address     string    // "ip:port" for packets and streams
	Started     time.Time // when the process started, by its own clock
	Minor       uint32    // of the version of the wire that it speaks
}

// name is the member's name in memberlist.
func (m Member) name() string { return memberName(m.Node, m.Incarnation) }

func memberName(node string, incarnation uint64) string {
	return node + "~" + strconv.FormatUint(incarnation, 16)
}

// nodeOf returns the node of a member's name in memberlist.
func nodeOf(name string) string {
	if i := strings.LastIndexByte(name, '~'); i >= 0 {
		return name[:i]
	}
	return name
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
// memberlist carries that. The first byte and metaMinor mean the same in every version.
const (
	metaNode        protowire.Number = 1
	metaIncarnation protowire.Number = 2
	metaStarted     protowire.Number = 3
	metaMinor       protowire.Number = 4 // of the version; 0 if it is not there
)

// encodeMeta returns what memberlist carries about a member, at most
// memberlist.MetaMaxSize bytes.
func encodeMeta(m Member, v version.Version) []byte {
	b := []byte{byte(v.Major)}
	b = appendBytes(b, metaNode, m.Node)
	b = appendFixed(b, metaIncarnation, m.Incarnation)
	b = appendFixed(b, metaStarted, uint64(m.Started.UnixNano()))
	return appendFixed(b, metaMinor, uint64(v.Minor))
}

// metaVersion returns the version of the member that b is from, also if nothing else of
// it can be understood. It is zero if b says none.
func metaVersion(b []byte) (v version.Version) {
	if len(b) == 0 || b[0] == 0 {
		return v
	}
	v.Major = uint32(b[0])
	_ = eachField(b[1:], func(num protowire.Number, number uint64, _ []byte) {
		if num == metaMinor {
			v.Minor = uint32(min(number, math.MaxUint32))
		}
	})
	return v
}

// decodeMeta is the inverse of encodeMeta, of a version that this member can speak. It
// keeps nothing of b.
func decodeMeta(b []byte, address netip.AddrPort) (Member, error) {
	v := metaVersion(b)
	m := Member{Address: address.String(), Minor: v.Minor}
	if v == (version.Version{}) {
		return Member{}, fmt.Errorf("%w: member metadata without a version", errMalformed)
	}
	err := eachField(b[1:], func(num protowire.Number, number uint64, bytes []byte) {
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
