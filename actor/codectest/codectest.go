package codectest

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Run tests codec with samples, which are pointers to messages that it can encode.
// Without samples it uses structs with fields of the usual kinds. Two messages
// count as equal if reflect.DeepEqual or their encodings say so.
//
// Without samples it is also tried with values of one kind that are decoded as another one.
// It may refuse; if it does not, what comes back has the same value:
//
//   - numbers are equal, or written alike in decimal, as a float32 and a float64 may be;
//   - lists have the same length and elements, and bytes are numbers;
//   - maps have the same keys, as texts, and values; a struct is a map of its fields, and a
//     struct that is decoded has what its own fields are called, and zero where there is none;
//   - a pointer is what it points to, an interface what it holds;
//   - nothing (a nil pointer, slice, map or interface) is nothing, or the zero value of a
//     type whose methods encode it;
//   - bytes are their text in base64; a value whose methods encode it is the text, or are the
//     bytes, that they write.
func Run(t *testing.T, codec actor.Codec, samples ...any) {
	t.Helper()
	s := &suite{codec: codec, samples: samples}
	if len(samples) == 0 {
		s.samples = plainSamples()
		t.Run("no value becomes another one", s.pairs)
	}
	t.Run("the content type names the encoding", s.contentType)
	t.Run("what is encoded decodes", s.roundTrip)
	t.Run("Append keeps what was there", s.appends)
	t.Run("Append leaves its results alone", s.resultsStay)
	t.Run("Decode keeps nothing of its input", s.inputIsFree)
	t.Run("what cannot be encoded is an error", s.refuses)
	t.Run("input that does not decode is no panic", s.garbage)
	t.Run("it may be used concurrently", s.concurrent)
	t.Run("what is too deep to be decoded is not encoded", s.deep)
}

// Plain is a message with fields of the usual kinds.
type Plain struct {
	Bool    bool
	Int     int
	Int8    int8
	Int64   int64
	Uint64  uint64
	Float   float64
	Text    string
	Raw     []byte
	Array   [3]int
	List    []string
	Map     map[string]int
	When    time.Time
	Pause   time.Duration
	Nested  Nested
	Pointer *Nested
	Many    []*Nested
}

// Nested is a part of a Plain; it may hold more of its kind.
type Nested struct {
	Name  string
	Below []Nested
}

func plainSamples() []any {
	deep := Nested{Name: "leaf"}
	for range 20 {
		deep = Nested{Name: "twig", Below: []Nested{deep}}
	}
	return []any{
		&Plain{},
		&Plain{
			Bool: true, Int: -1, Int8: -128, Int64: -1 << 63, Uint64: 1<<64 - 1, Float: 0.1,
			Text: "grüße\x00\n", Raw: []byte{0, 255}, Array: [3]int{1, 2, 3}, List: []string{"", "a"},
			Map: map[string]int{"": 0, "a": 1}, When: time.Unix(1_700_000_000, 123_456_789).UTC(), Pause: time.Hour,
			Nested: deep, Pointer: &Nested{Name: "p"}, Many: []*Nested{{Name: "m"}},
		},
		&Plain{Text: strings.Repeat("x", 2_000), Raw: make([]byte, 2_000)},
	}
}

type suite struct {
	codec   actor.Codec
	samples []any
}

func (s *suite) encode(t *testing.T, dst []byte, message any) []byte {
	t.Helper()
	data, err := s.codec.Append(dst, message)
	if err != nil {
		t.Fatalf("%T does not encode: %v", message, err)
	}
	return data
}

// decode returns a new message of the type of sample.
func (s *suite) decode(data []byte, sample any) (any, error) {
	target := reflect.New(reflect.TypeOf(sample).Elem()).Interface()
	return target, s.codec.Decode(data, target)
}

func (s *suite) expect(t *testing.T, data []byte, sample any) {
	t.Helper()
	got, err := s.decode(data, sample)
	if err != nil {
		t.Errorf("%T does not decode: %v", sample, err)
		return
	}
	s.expectEqual(t, got, sample)
}

func (s *suite) expectEqual(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) && !bytes.Equal(s.encode(t, nil, got), s.encode(t, nil, want)) {
		t.Errorf("got %.300v, want %.300v", got, want)
	}
}

func (s *suite) contentType(t *testing.T) {
	name := s.codec.ContentType()
	if kind, form, found := strings.Cut(name, "/"); !found || kind == "" || form == "" || strings.ContainsAny(name, " \t\r\n") {
		t.Errorf("%q is not like application/msgpack", name)
	}
	if again := s.codec.ContentType(); again != name {
		t.Errorf("it was %q and is %q", name, again)
	}
}

func (s *suite) roundTrip(t *testing.T) {
	for _, sample := range s.samples {
		s.expect(t, s.encode(t, nil, sample), sample)
	}
}

func (s *suite) appends(t *testing.T) {
	for _, sample := range s.samples {
		alone := s.encode(t, nil, sample)
		for _, spare := range []int{0, 1, len(alone), 2*len(alone) + 100} {
			dst := append(make([]byte, 0, 4+spare), "kept"...)
			data := s.encode(t, dst, sample)
			if string(dst) != "kept" || len(data) < 4 || string(data[:4]) != "kept" {
				t.Fatalf("with room for %d more, %q became %.20q", spare, dst, data)
			}
			s.expect(t, data[4:], sample)
		}
	}
}

func (s *suite) resultsStay(t *testing.T) {
	results := make([][]byte, len(s.samples))
	for i, sample := range s.samples {
		results[i] = s.encode(t, nil, sample)
	}
	for i, sample := range s.samples {
		s.expect(t, results[i], sample)
	}
}

func (s *suite) inputIsFree(t *testing.T) {
	for _, sample := range s.samples {
		data := s.encode(t, nil, sample)
		got, err := s.decode(data, sample)
		if err != nil {
			t.Fatal(err)
		}
		clear(data)
		s.expectEqual(t, got, sample)
	}
}

func (s *suite) refuses(t *testing.T) {
	for _, message := range []any{make(chan int), func() {}, struct{ C chan int }{make(chan int)}} {
		data, err := s.codec.Append([]byte("kept"), message)
		if err == nil {
			t.Errorf("%T was encoded as %q", message, data)
		}
	}
}

// deep nests a Nested deeper and deeper.
func (s *suite) deep(t *testing.T) {
	deep := &Nested{Name: "leaf"}
	if _, err := s.codec.Append(nil, deep); err != nil {
		t.Skip("it encodes samples only")
	}
	for range 300 {
		deep = &Nested{Below: []Nested{*deep}}
		if data, err := s.codec.Append(nil, deep); err == nil {
			if _, err := s.decode(data, deep); err != nil {
				t.Fatalf("it is encoded, and does not decode: %v", err)
			}
		}
	}
}

// garbage tries what nobody encoded; it may even decode, but not panic.
func (s *suite) garbage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, sample := range s.samples {
		good := s.encode(t, nil, sample)
		step := max(1, len(good)/200)
		for cut := 0; cut < len(good); cut += step {
			_, _ = s.decode(good[:cut], sample)
			bad := bytes.Clone(good)
			bad[cut] ^= byte(1 + random.IntN(255))
			_, _ = s.decode(bad, sample)
		}
		for range 200 {
			noise := make([]byte, random.IntN(64))
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			_, _ = s.decode(noise, sample)
		}
	}
}

func (s *suite) concurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for _, sample := range s.samples {
					data, err := s.codec.Append(nil, sample)
					if err != nil {
						t.Errorf("%T does not encode: %v", sample, err)
						return
					}
					if _, err := s.decode(data, sample); err != nil {
						t.Errorf("%T does not decode: %v", sample, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}
