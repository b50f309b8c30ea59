package actor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Types that embed one with methods, and have their own: those count.
type (
	Zoned struct {
		time.Time
		Zone string
	}
	Kept[T any] struct {
		time.Time
		V T
	}
	// Digest has a state in bytes, which is not read again, and a text, which is.
	Digest struct{ of string }
	// Loaded is read from bytes alone, and so by its text.
	Loaded struct{ of string }
	// Tag has its methods on its pointer.
	Tag    struct{ text string }
	Tagger struct {
		Tag   Tag
		Tags  []Tag
		Pairs [2]Tag
		Named map[string]*Tag
		Price big.Int
	}
	// Marker has no fields, and its methods write what embeds it.
	Marker     struct{}
	WithMarker struct {
		Marker
		N int
	}
	WithAnything struct {
		Coder
		N int
	}
	Coder interface {
		MarshalBinary() ([]byte, error)
		UnmarshalBinary([]byte) error
		MarshalJSON() ([]byte, error)
		UnmarshalJSON([]byte) error
	}
)

func (z Zoned) text() string { return z.Time.Format(time.RFC3339Nano) + "|" + z.Zone }

func (z *Zoned) read(text string) (err error) {
	at, zone, _ := strings.Cut(text, "|")
	z.Zone = zone
	z.Time, err = time.Parse(time.RFC3339Nano, at)
	return err
}

func (z Zoned) MarshalBinary() ([]byte, error)     { return []byte(z.text()), nil }
func (z *Zoned) UnmarshalBinary(data []byte) error { return z.read(string(data)) }
func (z Zoned) MarshalJSON() ([]byte, error)       { return json.Marshal(z.text()) }
func (z *Zoned) UnmarshalJSON(data []byte) error {
	var text string
	return errors.Join(json.Unmarshal(data, &text), z.read(text))
}

func (k Kept[T]) MarshalBinary() ([]byte, error)  { return k.MarshalJSON() }
func (k *Kept[T]) UnmarshalBinary(b []byte) error { return k.UnmarshalJSON(b) }
func (k Kept[T]) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At time.Time
		V  T
	}{k.Time, k.V})
}

func (k *Kept[T]) UnmarshalJSON(data []byte) error {
	var all struct {
		At time.Time
		V  T
	}
	err := json.Unmarshal(data, &all)
	k.Time, k.V = all.At, all.V
	return err
}

func (d Digest) MarshalBinary() ([]byte, error)     { return []byte{1, 2, 3}, nil }
func (d Digest) MarshalText() ([]byte, error)       { return []byte(d.of), nil }
func (d *Digest) UnmarshalText(text []byte) error   { d.of = string(text); return nil }
func (l *Loaded) UnmarshalBinary(data []byte) error { l.of = "bytes " + string(data); return nil }
func (l Loaded) MarshalText() ([]byte, error)       { return []byte(l.of), nil }
func (l *Loaded) UnmarshalText(text []byte) error   { l.of = string(text); return nil }
func (p *Tag) MarshalText() ([]byte, error)         { return []byte("tag " + p.text), nil }
func (p *Tag) UnmarshalText(text []byte) error      { p.text = string(text[4:]); return nil }
func (Marker) MarshalText() ([]byte, error)         { return []byte("marker"), nil }
func (*Marker) UnmarshalText([]byte) error          { return nil }
func (Marker) MarshalBinary() ([]byte, error)       { return []byte("marker"), nil }
func (*Marker) UnmarshalBinary([]byte) error        { return nil }

// TestWhatHasMethodsOfItsOwnComesBack: in each codec, by value and by pointer.
func TestWhatHasMethodsOfItsOwnComesBack(t *testing.T) {
	at := time.Unix(1_700_000_000, 5).UTC()
	for _, message := range []any{
		Zoned{at, "here"}, []Zoned{{at, "a"}, {at, "b"}}, Kept[int]{at, 7}, Kept[Kept[string]]{at, Kept[string]{at, "x"}},
		Digest{"d"}, []Digest{{"e"}}, Loaded{"l"}, map[string]Loaded{"a": {"m"}},
		Tag{"t"}, Tagger{Tag: Tag{"a"}, Tags: []Tag{{"b"}}, Pairs: [2]Tag{{"c"}, {"d"}}, Named: map[string]*Tag{"e": {"e"}}, Price: *big.NewInt(7)},
		struct{ Err *actor.Error }{&actor.Error{Code: actor.NotFound, Reason: "r", Message: "m", NotRun: true}},
		struct{ In Tagger }{Tagger{Tag: Tag{"in"}}},
		map[netip.Addr]Zoned{netip.MustParseAddr("::1"): {at, "key"}},
	} {
		for _, preferred := range []actor.Codec{nil, actor.JSON{}} {
			codec, err := actor.NewCodecs(preferred).For(reflect.TypeOf(message))
			if err != nil {
				t.Errorf("%T as %T: %v", message, preferred, err)
				continue
			}
			pointer := reflect.New(reflect.TypeOf(message))
			pointer.Elem().Set(reflect.ValueOf(message))
			for _, sent := range []any{message, pointer.Interface()} {
				data, err := codec.Append(nil, sent)
				got := reflect.New(reflect.TypeOf(message))
				if err == nil {
					err = codec.Decode(data, got.Interface())
				}
				if err != nil || !reflect.DeepEqual(got.Elem().Interface(), message) {
					t.Errorf("%T as %T, %q: %+v, %v", sent, preferred, data, got.Elem(), err)
				}
			}
		}
	}
}

// TestWhatWouldTravelInPlaceOfAnotherIsRefused: or would be written by its fields.
func TestWhatWouldTravelInPlaceOfAnotherIsRefused(t *testing.T) {
	for _, c := range []struct {
		t     reflect.Type
		names string
		in    []actor.Codec
	}{
		{reflect.TypeFor[WithMarker](), "Marker of actor_test.WithMarker", []actor.Codec{nil, actor.JSON{}}},
		{reflect.TypeFor[WithAnything](), "Coder of actor_test.WithAnything", []actor.Codec{nil, actor.JSON{}}},
		{reflect.TypeFor[map[string]Tag](), "map of pointers", []actor.Codec{actor.JSON{}}},
		{reflect.TypeFor[map[Tag]int](), "the keys of a map", []actor.Codec{actor.JSON{}}},
		{reflect.TypeFor[struct{ M map[string]Tagger }](), "map of pointers", []actor.Codec{actor.JSON{}}},
	} {
		for _, preferred := range c.in {
			if _, err := actor.NewCodecs(preferred).For(c.t); err == nil || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%v as %T: %v", c.t, preferred, err)
			}
		}
	}
}

// TestJSONThatIsNoTextIsNotDecoded: encoding/json would replace its letters.
func TestJSONThatIsNoTextIsNotDecoded(t *testing.T) {
	var got string
	if err := (actor.JSON{}).Decode([]byte("\"a\xff\""), &got); err == nil {
		t.Errorf("%q", got)
	}
}

// TestJSONKeepsWhatIsJSON as it was written, also where it has the letter that stands for
// what is none.
func TestJSONKeepsWhatIsJSON(t *testing.T) {
	type raw struct {
		Raw  json.RawMessage
		Text string
	}
	in := raw{Raw: json.RawMessage(`{"a":"\ufffd","b":"\\ufffd"}`), Text: "\ufffd"}
	data, err := (actor.JSON{}).Append(nil, in)
	var out raw
	if err != nil || (actor.JSON{}).Decode(data, &out) != nil || fmt.Sprintf("%s", out) != fmt.Sprintf("%s", in) {
		t.Errorf("%q, %s, %v", data, out, err)
	}
	in.Text = "\xff"
	if data, err := (actor.JSON{}).Append(nil, in); err == nil {
		t.Errorf("%q", data)
	}
}

// TestLengthsOfMsgPackAreTrue: on all platforms.
func TestLengthsOfMsgPackAreTrue(t *testing.T) {
	for _, data := range []string{
		"\xdd\xff\xff\xff\xff", "\xdd\x80\x00\x00\x00", "\xdf\xff\xff\xff\xff", "\xdf\x80\x00\x00\x00", "\xdf\x40\x00\x00\x00",
		"\xc6\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x01",
	} {
		for _, target := range []any{new([]int), new([2]int), new(map[string]int), new(any), new(struct{ A int }), new([]byte), new(string), new(time.Time), new(big.Int)} {
			if err := actor.NewMsgPack().Decode([]byte(data), target); err == nil {
				t.Errorf("%x became %T %v", data, target, reflect.ValueOf(target).Elem())
			}
		}
	}
}

// BenchmarkMsgPackBytesInInterface has a megabyte where the codec is not told what it is.
func BenchmarkMsgPackBytesInInterface(b *testing.B) {
	m := actor.NewMsgPack()
	var buffer []byte
	message := struct{ V any }{make([]byte, 1<<20)}
	for b.Loop() {
		data, err := m.Append(buffer[:0], &message)
		if err != nil {
			b.Fatal(err)
		}
		buffer = data
	}
}
