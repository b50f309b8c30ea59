package codectest

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// Box holds a value of one kind, as a message does.
type Box[T any] struct{ V T }

// kind is a type of values, in a [Box] and alone.
type kind struct {
	name   string
	values []any
	boxed  func(value any) any // in a Box
	// target returns a pointer to a new zero value, and the value in it.
	target func(boxed bool) (pointer any, value func() any)
}

func kindOf[T any](values ...T) kind {
	k := kind{name: reflect.TypeFor[T]().String()}
	for _, v := range values {
		k.values = append(k.values, v)
	}
	k.boxed = func(value any) any {
		v, _ := value.(T) // an interface may hold nil
		return Box[T]{v}
	}
	k.target = func(boxed bool) (any, func() any) {
		if boxed {
			b := new(Box[T])
			return b, func() any { return b.V }
		}
		v := new(T)
		return v, func() any { return *v }
	}
	return k
}

// Kinds of values that one has to tell from their neighbours.
type (
	number int16
	word   string
	digits []byte

	// Point and Place have a name in common.
	Point struct{ X, Y int }
	Place struct {
		X    int
		Name string
	}
	// Stamp hides what it is, and its methods write it.
	Stamp struct{ secret string }
)

// MarshalText writes the secret.
func (s Stamp) MarshalText() ([]byte, error) { return []byte(s.secret), nil }

// UnmarshalText reads the secret.
func (s *Stamp) UnmarshalText(text []byte) error { s.secret = string(text); return nil }

// Pouch is one pointer in memory, and its methods write it.
type Pouch struct{ secret *string }

// MarshalBinary writes the secret.
func (p Pouch) MarshalBinary() ([]byte, error) {
	if p.secret == nil {
		return []byte{}, nil
	}
	return []byte(*p.secret), nil
}

// UnmarshalBinary reads the secret.
func (p *Pouch) UnmarshalBinary(data []byte) error {
	text := string(data)
	p.secret = &text
	return nil
}

// MarshalText writes the secret.
func (p Pouch) MarshalText() ([]byte, error) { return p.MarshalBinary() }

// UnmarshalText reads the secret.
func (p *Pouch) UnmarshalText(text []byte) error { return p.UnmarshalBinary(text) }

func kinds() []kind {
	one, text := 1, "1"
	secret := "1"
	return []kind{
		kindOf(false, true),
		kindOf[int8](0, 1, -1, math.MinInt8, math.MaxInt8),
		kindOf[int16](0, 1, -129, math.MaxInt16),
		kindOf[int32](0, 1, math.MinInt32, 1<<24+1),
		kindOf[int64](0, 1, -1, math.MinInt64, math.MaxInt64, 1<<53, 1<<53+1, 1<<60),
		kindOf(0, 1, -32, -33, 127, 128, 255, 256, 65536),
		kindOf[uint8](0, 1, 49, 128, 255),
		kindOf[uint16](0, 1, 1<<15),
		kindOf[uint32](0, 1, 1<<31),
		kindOf[uint64](0, 1, 1<<63, math.MaxUint64),
		kindOf[uint](0, 1),
		kindOf[uintptr](0, 1),
		kindOf[float32](0, 1, -1.5, 0.1, math.MaxFloat32, 1<<31),
		kindOf(0, 1, -1.5, 0.1, 1e300, 1<<53, 1<<63, math.MaxFloat64, math.SmallestNonzeroFloat64),
		kindOf("", "1", "true", "abcd", "2026-11-30T00:00:00Z", "\u00fcber", "\xff", "::1", "null"),
		kindOf([]byte(nil), []byte{}, []byte("1"), []byte{0, 255}, []byte("abcd")),
		kindOf([2]byte{}, [2]byte{1, 2}),
		kindOf([3]byte{1, 2, 3}),
		kindOf([]int(nil), []int{}, []int{1}, []int{1, 2}, []int{256, -1}),
		kindOf([2]int{}, [2]int{1, 2}),
		kindOf([3]int{1, 2, 3}),
		kindOf([]string(nil), []string{}, []string{"a", "b"}, []string{"1"}),
		kindOf([]any(nil), []any{}, []any{"a", int64(1), nil, true}),
		kindOf([][]int{nil, {1}}),
		kindOf([]*int{nil, &one}),
		kindOf(map[string]string(nil), map[string]string{}, map[string]string{"a": "b"}, map[string]string{"X": "1"}),
		kindOf(map[string]int(nil), map[string]int{"X": 1, "Y": 2}, map[string]int{"x": 1}),
		kindOf(map[int]string{1: "a", -1: "b"}),
		kindOf(map[uint8]string{1: "a"}),
		kindOf(map[string]any(nil), map[string]any{"a": []any{"b", map[string]any{}}, "X": int64(1)}),
		kindOf(Point{}, Point{1, 2}),
		kindOf(Place{}, Place{1, "n"}),
		kindOf(struct{}{}),
		kindOf((*int)(nil), &one),
		kindOf((*string)(nil), &text),
		kindOf((*Point)(nil), &Point{1, 2}),
		kindOf(time.Time{}, time.Unix(1_700_000_000, 5).UTC(), time.Unix(-1, 0).UTC()),
		kindOf[time.Duration](0, 1, math.MaxInt64),
		kindOf(netip.MustParseAddr("::1"), netip.MustParseAddr("1.2.3.4")),
		kindOf(Stamp{}, Stamp{"1"}, Stamp{"abcd"}),
		kindOf(Pouch{&secret}),
		kindOf[number](0, 1, -1),
		kindOf[word]("", "1"),
		kindOf(digits(nil), digits{1, 2}),
		kindOf[any](nil, true, int64(1), -1.5, uint64(math.MaxUint64), "1", []byte("1"), time.Unix(5, 0).UTC()),
	}
}

// pairs encodes values of each kind, and decodes them as each other kind: what comes back
// has the same value, or there is an error. Alone and in a Box.
func (s *suite) pairs(t *testing.T) {
	all := kinds()
	for _, from := range all {
		t.Run(from.name, func(t *testing.T) {
			for _, value := range from.values {
				s.pair(t, from, value, false, all)
				s.pair(t, from, value, true, all)
			}
		})
	}
}

func (s *suite) pair(t *testing.T, from kind, value any, boxed bool, all []kind) {
	message := value
	if boxed {
		message = from.boxed(value)
	}
	data, err := s.codec.Append(nil, message)
	if err != nil {
		return // it is refused where it is sent
	}
	for _, to := range all {
		target, get := to.target(boxed)
		what := fmt.Sprintf("%s(%v) as %s, in a Box: %t, %q", from.name, value, to.name, boxed, data)
		switch err := s.codec.Decode(data, target); {
		case err != nil && to.name == from.name && to.name != "interface {}": // which may hold what it cannot get back
			t.Errorf("%s: %v", what, err)
		case err == nil && !same(reflect.ValueOf(value), reflect.ValueOf(get())):
			t.Errorf("%s: became %#v", what, get())
		}
	}
}
