package gossip

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-go/troupe/persistence/version"
)

var (
	testAddress = netip.MustParseAddrPort("10.1.2.3:4567")
	fullMember  = Member{
		Node:        strings.Repeat("ö", MaxNodeLen/2),
		Incarnation: math.MaxUint64,
		Address:     testAddress.String(),
		Started:     time.Unix(0, 1234567890123456789),
		Minor:       version.Wire().Minor,
	}
	plainMember = Member{Node: "a", Incarnation: 1, Address: testAddress.String(), Started: time.Unix(0, 1), Minor: version.Wire().Minor}
)

func TestMetaSurvivesTheWire(t *testing.T) {
	for _, m := range []Member{fullMember, plainMember} {
		b := encodeMeta(m, version.Wire())
		if len(b) > memberlist.MetaMaxSize {
			t.Errorf("%d bytes", len(b))
		}
		if got, err := decodeMeta(b, testAddress); err != nil || got != m {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	later := func(b []byte) []byte {
		b = protowire.AppendVarint(protowire.AppendTag(b, 100, protowire.VarintType), 7)
		b = protowire.AppendFixed32(protowire.AppendTag(b, 101, protowire.Fixed32Type), 7)
		return appendBytes(b, 102, "new")
	}
	if m, err := decodeMeta(later(encodeMeta(plainMember, version.Wire())), testAddress); err != nil || m != plainMember {
		t.Errorf("meta: %+v, %v", m, err)
	}
	wire := later(newCatalog("a", 1, 2, []byte("x")).wire)
	c, err := decodeCatalog(wire)
	if err != nil || c.version != 2 || string(c.data) != "x" {
		t.Errorf("catalog: %+v, %v", c, err)
	}
	if !bytes.Equal(c.detached().wire, wire) {
		t.Error("unknown fields are not passed on")
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":           nil,
		"no version":      append([]byte{0}, encodeMeta(plainMember, version.Wire())[1:]...),
		"cut":             encodeMeta(plainMember, version.Wire())[:5],
		"no node":         encodeMeta(Member{Incarnation: 1}, version.Wire()),
		"no incarnation":  encodeMeta(Member{Node: "a"}, version.Wire()),
		"control in node": encodeMeta(Member{Node: "a\x00", Incarnation: 1}, version.Wire()),
	} {
		if _, err := decodeMeta(b, testAddress); !errors.Is(err, errMalformed) {
			t.Errorf("meta, %s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"empty":      nil,
		"no version": newCatalog("a", 1, 0, nil).wire,
		"no node":    newCatalog("", 1, 1, nil).wire,
		"too large":  newCatalog("a", 1, 1, make([]byte, MaxCatalogLen+1)).wire,
		"padded":     appendBytes(newCatalog("a", 1, 1, nil).wire, 100, make([]byte, maxCatalogWire)),
	} {
		if _, err := decodeCatalog(b); !errors.Is(err, errMalformed) {
			t.Errorf("catalog, %s: %v", name, err)
		}
	}
}

func TestStateSkipsWhatIsMalformed(t *testing.T) {
	b := encodeState([]catalog{newCatalog("a", 1, 1, nil), {wire: []byte("junk")}, newCatalog("b", 1, 1, nil)})
	var got []string
	err := decodeState(b, func(c catalog) { got = append(got, c.node) })
	if !errors.Is(err, errMalformed) || strings.Join(got, "") != "ab" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestStateIsBounded(t *testing.T) {
	large := newCatalog("large", 1, 1, make([]byte, MaxCatalogLen))
	all := make([]catalog, 20)
	for i := range all {
		all[i] = large
	}
	all = append(all, newCatalog("small", 1, 1, nil))
	b := encodeState(all)
	if len(b) > maxStateLen+1024 {
		t.Errorf("%d bytes", len(b))
	}
	var last string
	if err := decodeState(b, func(c catalog) { last = c.node }); err != nil || last != "small" {
		t.Errorf("what fits was left out: %q, %v", last, err)
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(encodeMeta(fullMember, version.Wire()))
	f.Add(encodeMeta(plainMember, version.Wire()))
	f.Add([]byte{wireFormat, 0xff})
	f.Add(encodeMeta(fullMember, version.Version{Major: 2, Minor: 9}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v := metaVersion(b); v.Major != 0 && metaVersion(encodeMeta(fullMember, v)) != v {
			t.Errorf("the version %v does not survive", v)
		}
		m, err := decodeMeta(b, testAddress)
		if err != nil {
			return
		}
		if again, err := decodeMeta(encodeMeta(m, version.Version{Major: 1, Minor: m.Minor}), testAddress); err != nil || again != m {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzDecodeCatalog(f *testing.F) {
	f.Add(newCatalog("a", 1, 1, []byte("data")).wire)
	f.Add(newCatalog("a", 1, farewell, nil).wire)
	f.Add([]byte{wireFormat, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCatalog(b)
		if err != nil {
			return
		}
		again, err := decodeCatalog(newCatalog(c.node, c.incarnation, c.version, c.data).wire)
		if err != nil || again.name() != c.name() || again.version != c.version || !bytes.Equal(again.data, c.data) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	f.Add(encodeState([]catalog{newCatalog("a", 1, 1, []byte("data")), newCatalog("b", 2, farewell, nil)}))
	f.Add(encodeState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got []catalog
		if decodeState(b, func(c catalog) { got = append(got, c) }) != nil {
			return
		}
		var again int
		if err := decodeState(encodeState(got), func(catalog) { again++ }); err != nil || again != len(got) {
			t.Errorf("%d catalogs became %d, %v", len(got), again, err)
		}
	})
}

func FuzzDecodeReport(f *testing.F) {
	f.Add(encodeReport(report{about: Member{Node: "a", Incarnation: 1}, by: Member{Node: "b", Incarnation: 2}, found: true}))
	f.Add(newCatalog("a", 1, 1, []byte("data")).wire)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, is, err := decodeReport(b)
		if err != nil || !is {
			return
		}
		if again, is, err := decodeReport(encodeReport(r)); err != nil || !is || again != r {
			t.Errorf("%+v became %+v, %v, %v", r, again, is, err)
		}
	})
}
