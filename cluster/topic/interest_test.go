package topic

import (
	"maps"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestInterestsSurviveGossip(t *testing.T) {
	for _, all := range []interests{
		{},
		{{pattern: "orders.*"}: 1, {pattern: ">"}: 1, {"orders.*", "billing"}: 3, {"orders.*", "audit"}: maxMembers},
	} {
		got, err := decodeInterests(all.encode())
		if err != nil || !maps.Equal(got, all) {
			t.Errorf("%v, %v, want %v", got, err, all)
		}
	}
	const want = "a.>\na.> g 2\nb\n"
	if got := string(interests{{pattern: "b"}: 7, {"a.>", "g"}: 2, {pattern: "a.>"}: 1}.encode()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMalformedInterestsAreRefused(t *testing.T) {
	for _, text := range []string{"\n", "a..b\n", "a b\n", "a b 0\n", "a b -1\n", "a b 01\n", "a b 2 c\n", "a b, 2\n", "a b 9999999\n", "a\na\n", "a  2\n"} {
		_, err := decodeInterests([]byte(text))
		wantCode(t, text, err, actor.InvalidArgument)
	}
}

func TestAddressesSurviveTheWire(t *testing.T) {
	for _, a := range []address{
		{kind: "orders.Placed"},
		{kind: "[]uint8"},
		{forAll, "billing", "orders.Placed"},
		{forGroups, "a,b,c", `struct { A string "json:\"@\"" }`},
		{passedOn, "a", "T"},
		{},
	} {
		if got := parseAddress(a.String()); got != a {
			t.Errorf("%+v, want %+v", got, a)
		}
	}
}

func FuzzDecodeInterests(f *testing.F) {
	f.Add([]byte("a.>\na.> g 2\nb\n"))
	f.Add([]byte("a b 1048576"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := decodeInterests(text)
		if err != nil {
			wantCode(t, "the error", err, actor.InvalidArgument)
			return
		}
		again, err := decodeInterests(all.encode())
		if err != nil || !maps.Equal(again, all) {
			t.Fatalf("%v, %v, want %v", again, err, all)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"orders.Placed", "@a,b@T", "!a@T", "~", "@", "!@@", "@a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := parseAddress(s)
		if again := parseAddress(a.String()); again != a {
			t.Fatalf("%q: %+v, then %+v", s, a, again)
		}
	})
}
