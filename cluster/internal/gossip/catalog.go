package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrCatalogTooLarge is wrapped by the error of [Gossip.SetCatalog] for a
// catalog of more than [MaxCatalogLen] bytes.
var ErrCatalogTooLarge = errors.New("gossip: catalog too large")

const (
	// MaxCatalogLen is the largest catalog in bytes.
	MaxCatalogLen = 1 << 20

	// maxCatalogWire bounds an encoded catalog.
	maxCatalogWire = MaxCatalogLen + 1<<10

	// maxStateLen bounds the catalogs sent in one exchange of state, well below
	// the 20 MiB where memberlist refuses the exchange.
	maxStateLen = 8 << 20

	// farewell is the last version of a catalog: its member has left.
	farewell = math.MaxUint64
)

// catalog is one version of what a member publishes. It is immutable.
type catalog struct {
	node        string
	incarnation uint64
	version     uint64 // zero: none published yet
	data        []byte // part of wire
	wire        []byte // the encoded form
}

func (c catalog) name() string { return memberName(c.node, c.incarnation) }

// Field numbers of an encoded catalog, and of the state that holds many.
const (
	catalogNode        protowire.Number = 1
	catalogIncarnation protowire.Number = 2
	catalogVersion     protowire.Number = 3
	catalogData        protowire.Number = 4

	stateCatalog protowire.Number = 1
)

// newCatalog encodes a catalog; data is copied.
func newCatalog(node string, incarnation, version uint64, data []byte) catalog {
	b := make([]byte, 0, 64+len(node)+len(data))
	b = append(b, wireFormat)
	b = appendBytes(b, catalogNode, node)
	b = appendFixed(b, catalogIncarnation, incarnation)
	b = appendFixed(b, catalogVersion, version)
	b = appendBytes(b, catalogData, data)
	return catalog{node, incarnation, version, b[len(b)-len(data):], b}
}

// decodeCatalog returns a catalog that shares its memory with b.
func decodeCatalog(b []byte) (catalog, error) {
	c := catalog{wire: b}
	err := decodeFields(b, func(num protowire.Number, number uint64, bytes []byte) {
		switch num {
		case catalogNode:
			c.node = string(bytes)
		case catalogIncarnation:
			c.incarnation = number
		case catalogVersion:
			c.version = number
		case catalogData:
			c.data = bytes
		}
	})
	switch {
	case err != nil:
		return catalog{}, err
	case !validNode(c.node), c.incarnation == 0, c.version == 0,
		len(c.data) > MaxCatalogLen, len(b) > maxCatalogWire:
		return catalog{}, fmt.Errorf("%w: catalog is incomplete or out of bounds", errMalformed)
	}
	return c, nil
}

// detached returns a catalog that shares no memory with c.
func (c catalog) detached() catalog {
	c, _ = decodeCatalog(bytes.Clone(c.wire)) // was decoded before
	return c
}

// encodeState packs as many of the catalogs as maxStateLen allows, the first
// ones first.
func encodeState(catalogs []catalog) []byte {
	var b bytes.Buffer
	b.WriteByte(wireFormat)
	for _, c := range catalogs {
		if b.Len()+len(c.wire) > maxStateLen {
			continue
		}
		var header [16]byte
		h := protowire.AppendTag(header[:0], stateCatalog, protowire.BytesType)
		b.Write(protowire.AppendVarint(h, uint64(len(c.wire))))
		b.Write(c.wire)
	}
	return b.Bytes()
}

// decodeState calls each for every catalog of an encoded state. The catalogs
// share their memory with b. A malformed catalog does not keep the others from
// being read.
func decodeState(b []byte, each func(catalog)) error {
	var malformed error
	err := decodeFields(b, func(num protowire.Number, _ uint64, bytes []byte) {
		if num != stateCatalog {
			return
		}
		c, err := decodeCatalog(bytes)
		if err != nil {
			malformed = err
			return
		}
		each(c)
	})
	return errors.Join(err, malformed)
}
