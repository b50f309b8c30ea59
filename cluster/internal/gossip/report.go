package gossip

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// report is a member's word about another one that does not answer.
type report struct {
	about, by Member // without addresses and times, as received
	found     bool   // it cannot be reached; else others should try while this one does
}

// Field numbers of an encoded report: those of catalogs are not among them, so that
// members that know no reports drop them.
const (
	reportAboutNode        protowire.Number = 16
	reportAboutIncarnation protowire.Number = 17
	reportByNode           protowire.Number = 18
	reportByIncarnation    protowire.Number = 19
	reportFound            protowire.Number = 20
)

func encodeReport(r report) []byte {
	b := []byte{wireFormat}
	b = appendBytes(b, reportAboutNode, r.about.Node)
	b = appendFixed(b, reportAboutIncarnation, r.about.Incarnation)
	b = appendBytes(b, reportByNode, r.by.Node)
	b = appendFixed(b, reportByIncarnation, r.by.Incarnation)
	if r.found {
		b = appendFixed(b, reportFound, 1)
	}
	return b
}

// decodeReport is the inverse of encodeReport. is is false if the message is none. It
// keeps nothing of b.
func decodeReport(b []byte) (r report, is bool, err error) {
	err = decodeFields(b, func(num protowire.Number, number uint64, bytes []byte) {
		switch num {
		case reportAboutNode:
			r.about.Node, is = string(bytes), true
		case reportAboutIncarnation:
			r.about.Incarnation = number
		case reportByNode:
			r.by.Node = string(bytes)
		case reportByIncarnation:
			r.by.Incarnation = number
		case reportFound:
			r.found = number != 0
		}
	})
	if err == nil && is && (!validNode(r.about.Node) || r.about.Incarnation == 0 || !validNode(r.by.Node) || r.by.Incarnation == 0) {
		err = fmt.Errorf("%w: report is incomplete or out of bounds", errMalformed)
	}
	return r, is, err
}
