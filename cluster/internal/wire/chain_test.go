package wire_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/cluster/internal/wirepb"
)

func hops(n int) (all []wire.Hop, encoded []byte) {
	for i := range n {
		h := wire.Hop{Actor: fmt.Sprint("actor://a/x#", i), Ask: uint32(i)}
		all, encoded = append(all, h), wire.AppendHop(encoded, h)
	}
	return all, encoded
}

func TestAChainSurvivesTheWire(t *testing.T) {
	for _, n := range []int{0, 1, wire.MaxHops} {
		want, b := hops(n)
		if got, err := wire.ParseChain(b); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d hops: %v, %v", n, got, err)
		}
	}
	_, b := hops(wire.MaxHops + 1)
	if _, err := wire.ParseChain(b); !errors.Is(err, wire.ErrChain) {
		t.Error("one hop too many:", err)
	}
	_, b = hops(1)
	for n := 1; n < len(b); n++ {
		if _, err := wire.ParseChain(b[:n]); !errors.Is(err, wire.ErrChain) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

// FuzzParseChain holds ParseChain against proto.Unmarshal. They differ in strings that
// are not UTF-8, and in the bound.
func FuzzParseChain(f *testing.F) {
	_, b := hops(3)
	f.Add(b)
	f.Add([]byte{0x0a, 0x00, 0x12, 0x01, 'x'})
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := wire.ParseChain(b)
		var want wirepb.Chain
		if proto.Unmarshal(b, &want) != nil || len(want.Hops) > wire.MaxHops {
			if err == nil && len(got) > wire.MaxHops {
				t.Errorf("%d hops", len(got))
			}
			return
		}
		if err != nil || len(got) != len(want.Hops) {
			t.Fatalf("%v, %v, want %v", got, err, &want)
		}
		for i, h := range want.Hops {
			if got[i] != (wire.Hop{Actor: h.Actor, Ask: h.Ask}) {
				t.Errorf("%v, want %v", got[i], h)
			}
		}
	})
}
