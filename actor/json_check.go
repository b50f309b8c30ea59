package actor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// encoding/json changes some values without a word. What is wrong with a text that it has
// taken is found by a walk through it beside the shape of the type.

// jsonScanner walks through a text that is valid JSON.
type jsonScanner struct {
	data []byte
	at   int
}

// checkJSON returns an error if data, which decoded as a value of that shape, is of another.
func (s *shape) checkJSON(data []byte) error {
	in := jsonScanner{data: data}
	return s.scan(&in)
}

// peek returns the next byte that is no space.
func (in *jsonScanner) peek() byte {
	for {
		switch c := in.data[in.at]; c {
		case ' ', '\t', '\r', '\n':
			in.at++
		default:
			return c
		}
	}
}

// token passes a string, a number or a word, and returns it.
func (in *jsonScanner) token() []byte {
	start := in.at
	if in.peek() == '"' {
		start = in.at
		for in.at++; in.data[in.at] != '"'; in.at++ {
			if in.data[in.at] == '\\' {
				in.at++
			}
		}
		in.at++
		return in.data[start:in.at]
	}
	for start = in.at; in.at < len(in.data); in.at++ {
		switch in.data[in.at] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}':
			return in.data[start:in.at]
		}
	}
	return in.data[start:]
}

// entries calls f at each entry of the object or list that begins here.
func (in *jsonScanner) entries(f func() error) error {
	in.peek()
	in.at++
	for {
		switch in.peek() {
		case ']', '}':
			in.at++
			return nil
		case ',':
			in.at++
		default:
			if err := f(); err != nil {
				return err
			}
		}
	}
}

// name passes a key and its colon.
func (in *jsonScanner) name() (string, error) {
	text := in.token()
	in.peek()
	in.at++
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1]), nil
	}
	var name string
	err := json.Unmarshal(text, &name)
	return name, err
}

// skip passes any value.
func (in *jsonScanner) skip() error {
	switch in.peek() {
	case '{':
		return in.entries(func() error {
			if _, err := in.name(); err != nil {
				return err
			}
			return in.skip()
		})
	case '[':
		return in.entries(in.skip)
	}
	in.token()
	return nil
}

func (s *shape) scan(in *jsonScanner) error {
	c := in.peek()
	switch {
	case s.form == formOwn:
		return in.skip()
	case c == 'n': // null
		in.token()
		return s.takeNull()
	case s.form == formPointer:
		return s.elem.scan(in)
	case c == '{' && (s.form == formStruct || s.form == formMap || s.form == formOpen):
		return in.entries(func() error { return s.scanEntry(in) })
	case c == '[' && s.elem != nil:
		return s.scanList(in)
	case (c == '-' || c >= '0' && c <= '9') && (s.form == formFloat || s.form == formOpen):
		return s.checkNumber(in.token())
	}
	return in.skip()
}

// takeNull refuses null for what cannot be nil: encoding/json would skip it.
func (s *shape) takeNull() error {
	switch s.form {
	case formPointer, formOpen, formList, formMap:
		return nil
	}
	return fmt.Errorf("null is not a %s", s.goType)
}

func (s *shape) scanEntry(in *jsonScanner) error {
	name, err := in.name()
	if err != nil {
		return err
	}
	of := s.elem
	if s.form == formStruct {
		of, err = s.fieldCalled(name)
	} else if s.key.form == formInt || s.key.form == formUint {
		err = s.checkKey(name)
	}
	switch {
	case err != nil:
		return err
	case of == nil:
		return in.skip()
	}
	if err := of.scan(in); err != nil {
		return fmt.Errorf("%.80q: %w", name, err)
	}
	return nil
}

// fieldCalled returns the shape of that field, nil if there is none. One whose name differs
// in its letter case alone would be filled as well.
func (s *shape) fieldCalled(name string) (*shape, error) {
	if i := s.field([]byte(name), 0); i >= 0 {
		return s.fields[i].shape, nil
	}
	for _, f := range s.fields {
		if bytes.EqualFold([]byte(f.name), []byte(name)) {
			return nil, fmt.Errorf("%.80q is not the name of %s in %s: letter case counts", name, f.name, s.goType)
		}
	}
	return nil, nil
}

// checkKey refuses keys such as "01", which would become one with "1".
func (s *shape) checkKey(name string) error {
	canonical := ""
	if n, err := strconv.ParseInt(name, 10, 64); err == nil {
		canonical = strconv.FormatInt(n, 10)
	} else if n, err := strconv.ParseUint(name, 10, 64); err == nil {
		canonical = strconv.FormatUint(n, 10)
	}
	if name != canonical {
		return fmt.Errorf("the key %.80q is not an integer as it is written", name)
	}
	return nil
}

func (s *shape) scanList(in *jsonScanner) error {
	n := 0
	err := in.entries(func() error {
		n++
		if err := s.elem.scan(in); err != nil {
			return fmt.Errorf("[%d]: %w", n-1, err)
		}
		return nil
	})
	if err == nil && s.form == formArray {
		err = s.checkLength(n)
	}
	return err
}

// checkNumber refuses a number that a float would not hold: an integer with too many digits,
// and, for a float32, any. What an encoder wrote for a float is the shortest text that gives
// it again.
func (s *shape) checkNumber(text []byte) error {
	bits := 64
	if s.form == formFloat {
		bits = s.bits
	}
	short := len(text) <= 6 || bits == 64 && len(text) <= 15
	if scaled := bytes.ContainsAny(text, "eE"); short && !scaled || bits == 64 && (scaled || bytes.IndexByte(text, '.') >= 0) {
		return nil
	}
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return err
	}
	if decimalOf(string(text)) == decimalOf(strconv.FormatFloat(f, 'e', -1, bits)) {
		return nil
	}
	whole, err := strconv.ParseUint(strings.TrimPrefix(string(text), "-"), 10, 64)
	if magnitude := math.Abs(f); err == nil && magnitude < 1<<64 && uint64(magnitude) == whole {
		return nil
	}
	return fmt.Errorf("%.40s would be rounded to %v", text, f)
}

// decimal is a number as it is written, but in one way.
type decimal struct {
	negative bool
	digits   string // without zeros at their ends
	exponent int
}

func decimalOf(text string) decimal {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(text[i+1:])
		if err != nil {
			exponent = math.MaxInt32 // out of reach for floats
		}
		text, d.exponent = text[:i], exponent
	}
	whole, fraction, _ := strings.Cut(text, ".")
	d.exponent -= len(fraction)
	d.digits = strings.TrimRight(whole+fraction, "0")
	d.exponent += len(whole) + len(fraction) - len(d.digits)
	if d.digits = strings.TrimLeft(d.digits, "0"); d.digits == "" {
		d.exponent = 0
	}
	return d
}

// errNotText is for what JSON would replace by other letters.
var errNotText = errors.New(`a text is not UTF-8, and would come back as another one: use []byte, or MessagePack`)

// checkText returns an error if encoding/json has replaced letters in what it wrote.
func checkText(data []byte) error {
	const replaced = `\ufffd`
	for rest := data; ; {
		i := bytes.Index(rest, []byte(replaced))
		if i < 0 {
			return nil
		}
		escapes := len(rest[:i]) - len(bytes.TrimRight(rest[:i], `\`))
		if escapes%2 == 0 {
			return errNotText
		}
		rest = rest[i+len(replaced):]
	}
}
