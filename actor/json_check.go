package actor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
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
	for in.data[in.at] <= ' ' {
		in.at++
	}
	return in.data[in.at]
}

// token passes a string, a number or a word, and returns it.
func (in *jsonScanner) token() []byte {
	quoted := in.peek() == '"'
	rest, end := in.data[in.at:], 1
	if quoted {
		for rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end++
	} else {
		for end < len(rest) && rest[end] > ' ' && rest[end] != ',' && rest[end] != ']' && rest[end] != '}' {
			end++
		}
	}
	in.at += end
	return rest[:end]
}

// open passes the bracket of an object or a list.
func (in *jsonScanner) open() {
	in.peek()
	in.at++
}

// more reports whether there is another entry, and goes to it, or passes the end.
func (in *jsonScanner) more() bool {
	for {
		switch in.peek() {
		case ']', '}':
			in.at++
			return false
		case ',':
			in.at++
		default:
			return true
		}
	}
}

// name passes a key and its colon.
func (in *jsonScanner) name() ([]byte, error) {
	text := in.token()
	in.peek()
	in.at++
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1], nil
	}
	var name string
	err := json.Unmarshal(text, &name)
	return []byte(name), err
}

// skip passes any value.
func (in *jsonScanner) skip() {
	switch in.peek() {
	case '{':
		for in.open(); in.more(); in.skip() {
			in.token()
			in.peek()
			in.at++
		}
	case '[':
		for in.open(); in.more(); {
			in.skip()
		}
	default:
		in.token()
	}
}

func (s *shape) scan(in *jsonScanner) error {
	c := in.peek()
	switch {
	case s.form == formOwn:
		in.skip()
		return nil
	case s.form <= formUint && s.form >= formBool && c != 'n':
		in.token()
		return nil
	case c == 'n': // null
		in.token()
		return s.takeNull()
	case s.form == formPointer:
		return s.elem.scan(in)
	case c == '{' && (s.form == formStruct || s.form == formMap || s.form == formOpen):
		return s.scanEntries(in)
	case c == '[' && s.elem != nil:
		return s.scanList(in)
	case (c == '-' || c >= '0' && c <= '9') && (s.form == formFloat || s.form == formOpen):
		return s.checkNumber(in.token())
	}
	in.skip()
	return nil
}

// takeNull refuses null for what cannot be nil: encoding/json would skip it.
func (s *shape) takeNull() error {
	switch s.form {
	case formPointer, formOpen, formList, formMap:
		return nil
	}
	return fmt.Errorf("null is not a %s", s.goType)
}

func (s *shape) scanEntries(in *jsonScanner) error {
	next := 0 // the fields come in their order, or in any
	for in.open(); in.more(); {
		name, err := in.name()
		if err != nil {
			return err
		}
		of := s.elem
		switch {
		case s.form == formStruct:
			if next = s.field(name, next); next >= 0 {
				of = s.fields[next].shape
				next++
			} else if of, next = nil, 0; s.hasLike(name) {
				return fmt.Errorf("%.80q is the name of a field of %s but for its letter case", name, s.goType)
			}
		case s.key.form == formInt || s.key.form == formUint:
			if err := s.checkKey(string(name)); err != nil {
				return err
			}
		}
		if of == nil {
			in.skip()
		} else if err := of.scan(in); err != nil {
			return fmt.Errorf("%.80q: %w", name, err)
		}
	}
	return nil
}

// hasLike reports whether there is a field whose name differs from name in its letter case
// alone. It would be filled as well.
func (s *shape) hasLike(name []byte) bool {
	return slices.ContainsFunc(s.fields, func(f shapeField) bool { return strings.EqualFold(f.name, string(name)) })
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
	for in.open(); in.more(); n++ {
		if err := s.elem.scan(in); err != nil {
			return fmt.Errorf("[%d]: %w", n, err)
		}
	}
	if s.form == formArray {
		return s.checkLength(n)
	}
	return nil
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

// checkText returns an error if encoding/json has replaced letters in what it wrote for
// message, which is a pointer.
func checkText(data []byte, message any) error {
	n := countReplaced(data)
	if n == 0 {
		return nil
	}
	// What a json.RawMessage or a MarshalJSON wrote like that comes back like that.
	again := reflect.New(reflect.TypeOf(message).Elem()).Interface()
	if json.Unmarshal(data, again) == nil {
		if written, err := json.Marshal(again); err == nil && countReplaced(written) == n {
			return nil
		}
	}
	return errNotText
}

// countReplaced counts the escapes that encoding/json writes for bytes that are no text.
func countReplaced(data []byte) (n int) {
	const replaced = `\ufffd`
	for rest := data; ; {
		i := bytes.Index(rest, []byte(replaced))
		if i < 0 {
			return n
		}
		escapes := len(rest[:i]) - len(bytes.TrimRight(rest[:i], `\`))
		if escapes%2 == 0 {
			n++
		}
		rest = rest[i+len(replaced):]
	}
}
