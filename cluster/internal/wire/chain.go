package wire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// Hop is one actor of a chain: an actor that a Call has come through.
type Hop struct {
	Actor string // its path as a reference prints it
	Ask   uint32 // the number of the request that its turn waits for, 0 for none
}

// MaxHops bounds a chain.
const MaxHops = 64

// ErrChain says that bytes are no chain, or one of more than [MaxHops].
var ErrChain = errors.New("wire: malformed or endless chain of a call: the peer does not speak this protocol")

// AppendHop appends h to the chain dst and returns the longer chain.
func AppendHop(dst []byte, h Hop) []byte {
	dst = appendTag(dst, chainHops, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(sizeBytes(len(h.Actor))+sizeVarint(uint64(h.Ask))))
	dst = appendString(dst, hopActor, h.Actor)
	return appendVarint(dst, hopAsk, uint64(h.Ask))
}

// ParseChain returns the hops of a chain, oldest first, or [ErrChain]. It keeps nothing
// of b.
func ParseChain(b []byte) ([]Hop, error) {
	var hops []Hop
	for len(b) > 0 {
		field, typ, n := consumeTag(b)
		if n < 0 {
			return nil, ErrChain
		}
		b = b[n:]
		if field != chainHops || typ != protowire.BytesType {
			n = protowire.ConsumeFieldValue(field, typ, b)
		} else {
			var body []byte
			var h Hop
			if body, n = protowire.ConsumeBytes(b); n < 0 || !h.parse(body) || len(hops) == MaxHops {
				return nil, ErrChain
			}
			hops = append(hops, h)
		}
		if n < 0 {
			return nil, ErrChain
		}
		b = b[n:]
	}
	return hops, nil
}

// parse fills h; false if b is malformed.
func (h *Hop) parse(b []byte) bool {
	for len(b) > 0 {
		field, typ, n := consumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		switch {
		case field == hopActor && typ == protowire.BytesType:
			var actor []byte
			actor, n = protowire.ConsumeBytes(b)
			h.Actor = string(actor)
		case field == hopAsk && typ == protowire.VarintType:
			var ask uint64
			ask, n = protowire.ConsumeVarint(b)
			h.Ask = uint32(ask)
		default:
			n = protowire.ConsumeFieldValue(field, typ, b)
		}
		if n < 0 {
			return false
		}
		b = b[n:]
	}
	return true
}
