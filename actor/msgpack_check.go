package actor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// check reports whether data is exactly one MessagePack value of the shape, whose lengths
// are true and whose depth is bounded. The decoder believes what a payload says of itself:
// nine bytes could make it allocate 64 MB. And it takes more than the shape.
func (s *shape) check(data []byte) error {
	rest, err := s.take(data, 1)
	if err == nil && len(rest) > 0 {
		err = followed(rest)
	}
	return err
}

// take returns what follows the value at the start of data.
func (s *shape) take(data []byte, depth int) (rest []byte, err error) {
	if len(data) == 0 {
		return nil, errCutShort
	}
	tag := data[0]
	switch s.form {
	case formInt:
		if tag < 0x80 || tag >= 0xe0 {
			return data[1:], nil
		}
		return s.takeInteger(data)
	case formUint:
		if tag < 0x80 {
			return data[1:], nil
		}
		return s.takeInteger(data)
	case formText:
		if tag >= 0xa0 && tag < 0xc0 && len(data) > int(tag&0x1f) {
			return data[1+int(tag&0x1f):], nil
		}
		return s.takeIf(data, isText(tag))
	case formBool:
		if tag == 0xc2 || tag == 0xc3 {
			return data[1:], nil
		}
		return nil, s.mismatch(data)
	case formFloat:
		return s.takeFloat(data)
	case formStruct:
		return s.takeStruct(data, depth)
	case formPointer:
		if tag == 0xc0 {
			return data[1:], nil
		}
		return s.elem.take(data, depth)
	case formList, formArray:
		return s.takeList(data, depth)
	case formMap:
		return s.takeMap(data, depth)
	case formTime:
		return s.takeTime(data)
	case formBytes:
		return s.takeIf(data, isBytes(tag) || tag == 0xc0)
	case formExt:
		return s.takeExtension(data, ownExtension, depth)
	case formProto:
		return s.takeExtension(data, protoExtension, depth)
	case formOpen:
		return s.takeOpen(data, depth)
	}
	return takeAny(data, depth)
}

func isText(tag byte) bool { return tag >= 0xa0 && tag < 0xc0 || tag >= 0xd9 && tag < 0xdc }

func isBytes(tag byte) bool { return tag >= 0xc4 && tag < 0xc7 }

// takeIf takes a value without others in it.
func (s *shape) takeIf(data []byte, fits bool) ([]byte, error) {
	if !fits {
		return nil, s.mismatch(data)
	}
	return takeAny(data, 0)
}

// mismatch says what stands where an s is expected.
func (s *shape) mismatch(data []byte) error {
	return fmt.Errorf("%s is not a %s", kindOfMsgPack(data[0]), s.goType)
}

func kindOfMsgPack(tag byte) string {
	switch {
	case tag < 0x80 || tag >= 0xe0 || tag >= 0xcc && tag < 0xd4:
		return "an integer"
	case tag < 0x90 || tag >= 0xde:
		return "a map"
	case tag < 0xa0 || tag >= 0xdc:
		return "a list"
	case isText(tag):
		return "a text"
	case tag == 0xc0:
		return "nil"
	case tag < 0xc4:
		return "a bool"
	case isBytes(tag):
		return "bytes"
	case tag == 0xca || tag == 0xcb:
		return "a float"
	}
	return "an extension"
}

// integerIn returns the integer at the start of data, as an int64 if it is negative, and how
// long it is, 0 if there is none.
func integerIn(data []byte) (magnitude uint64, negative bool, size int) {
	tag := data[0]
	if tag < 0x80 {
		return uint64(tag), false, 1
	}
	if tag >= 0xe0 {
		return uint64(int64(int8(tag))), true, 1
	}
	if tag < 0xcc || tag > 0xd3 || len(data) < 1+1<<(tag&3) {
		return 0, false, 0
	}
	size = 1 + 1<<(tag&3)
	for _, b := range data[1:size] {
		magnitude = magnitude<<8 | uint64(b)
	}
	if tag >= 0xd0 { // signed
		unused := 64 - 8*(size-1)
		signed := int64(magnitude<<unused) >> unused
		return uint64(signed), signed < 0, size
	}
	return magnitude, false, size
}

func (s *shape) takeInteger(data []byte) ([]byte, error) {
	value, negative, size := integerIn(data)
	if size == 0 {
		if tag := data[0]; tag >= 0xcc && tag <= 0xd3 {
			return nil, errCutShort
		}
		return nil, s.mismatch(data)
	}
	unused := 64 - s.bits
	var fits bool
	switch {
	case s.form == formUint:
		fits = !negative && value<<unused>>unused == value
	case negative:
		fits = int64(value)<<unused>>unused == int64(value)
	default:
		fits = value <= math.MaxInt64>>unused
	}
	switch {
	case fits:
		return data[size:], nil
	case negative:
		return nil, fmt.Errorf("%d does not fit into a %s", int64(value), s.goType)
	}
	return nil, fmt.Errorf("%d does not fit into a %s", value, s.goType)
}

func (s *shape) takeFloat(data []byte) ([]byte, error) {
	switch tag := data[0]; tag {
	case 0xca:
		return s.takeIf(data, true)
	case 0xcb:
		if len(data) < 9 {
			return nil, errCutShort
		}
		f := math.Float64frombits(binary.BigEndian.Uint64(data[1:]))
		if s.bits == 32 && float64(float32(f)) != f && f == f {
			return nil, fmt.Errorf("%v does not fit into a %s", f, s.goType)
		}
		return data[9:], nil
	}
	value, negative, size := integerIn(data)
	if size == 0 {
		return nil, s.mismatch(data)
	}
	precision := uint64(1) << 53 // up to which each integer is a float
	if s.bits == 32 {
		precision = 1 << 24
	}
	magnitude := value
	if negative {
		magnitude = -value
	}
	if magnitude > precision {
		return nil, fmt.Errorf("an integer beyond ±%d may not fit into a %s", precision, s.goType)
	}
	return data[size:], nil
}

func (s *shape) takeTime(data []byte) ([]byte, error) {
	size, extension, ok := extensionIn(data)
	switch {
	case data[0] == 0xc0:
		return data[1:], nil
	case !ok || extension != 0xff || size != 4 && size != 8 && size != 12:
		return nil, s.mismatch(data)
	}
	head := uint64(2)
	if size == 12 {
		head = 3
	}
	if uint64(len(data)) < head+size {
		return nil, errCutShort
	}
	return data[head+size:], nil
}

// takeExtension takes one of that type. Bytes and maps are what was written before there
// were extensions.
func (s *shape) takeExtension(data []byte, want byte, depth int) ([]byte, error) {
	tag := data[0]
	_, extension, ok := extensionIn(data)
	isMap := tag >= 0x80 && tag < 0x90 || tag == 0xde || tag == 0xdf
	if ok && extension == want || tag == 0xc0 || s.bytes && isBytes(tag) || want == protoExtension && isMap {
		return takeAny(data, depth)
	}
	return nil, s.mismatch(data)
}

// extensionIn returns the size and type of the extension at the start of data.
func extensionIn(data []byte) (size uint64, extension byte, ok bool) {
	switch tag := data[0]; {
	case tag >= 0xd4 && tag < 0xd9 && len(data) > 1:
		return 1 << (tag - 0xd4), data[1], true
	case tag >= 0xc7 && tag < 0xca:
		head, length, err := msgPackLength(data, tag-0xc7)
		if err == nil && uint64(len(data)) > head {
			return length, data[head], true
		}
	}
	return 0, 0, false
}

// enter returns how many entries the map, or the list, at the start of data has, which is on
// that level, and what follows its head.
func (s *shape) enter(data []byte, isMap bool, depth int) (rest []byte, entries int, err error) {
	var length uint64
	tag, fixed, long := data[0], byte(0x90), byte(0xdc)
	if isMap {
		fixed, long = 0x80, 0xde
	}
	switch {
	case tag&0xf0 == fixed:
		rest, length = data[1:], uint64(tag&0x0f)
	case tag == long || tag == long+1:
		var head uint64
		if head, length, err = msgPackLength(data, tag-long+1); err != nil {
			return nil, 0, err
		}
		rest = data[head:]
	default:
		return nil, 0, s.mismatch(data)
	}
	if most := uint64(len(rest)); length > most || isMap && 2*length > most { // each takes a byte at least
		return nil, 0, errCutShort
	}
	if depth == maxDepth {
		return nil, 0, errTooDeep
	}
	return rest, int(length), nil
}

func (s *shape) takeList(data []byte, depth int) ([]byte, error) {
	tag := data[0]
	ofBytes := s.elem.form == formUint && s.elem.bits == 8
	if s.form == formList && tag == 0xc0 {
		return data[1:], nil
	}
	if ofBytes && isBytes(tag) {
		rest, err := takeAny(data, 0)
		if err == nil && s.form == formArray {
			_, length, _ := msgPackLength(data, tag-0xc4)
			err = s.checkLength(int(length))
		}
		return rest, err
	}
	rest, entries, err := s.enter(data, false, depth)
	if err == nil && s.form == formArray {
		err = s.checkLength(entries)
	}
	small := s.elem.form == formInt || s.elem.form == formUint
	for i := 0; i < entries && err == nil; i++ {
		if small && len(rest) > 0 && rest[0] < 0x80 {
			rest = rest[1:]
		} else if rest, err = s.elem.take(rest, depth+1); err != nil && err != errCutShort && err != errTooDeep {
			err = fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return rest, err
}

func (s *shape) checkLength(n int) error {
	if n != s.length {
		return fmt.Errorf("a list of %d is not a %s", n, s.goType)
	}
	return nil
}

func (s *shape) takeMap(data []byte, depth int) ([]byte, error) {
	if data[0] == 0xc0 {
		return data[1:], nil
	}
	rest, entries, err := s.enter(data, true, depth)
	for i := 0; i < entries && err == nil; i++ {
		if rest, err = s.key.take(rest, depth+1); err != nil {
			break
		}
		rest, err = s.elem.take(rest, depth+1)
	}
	return rest, err
}

func (s *shape) takeStruct(data []byte, depth int) ([]byte, error) {
	if tag := data[0]; s.tuple != nil && (tag&0xf0 == 0x90 || tag == 0xdc || tag == 0xdd) {
		return s.takeTuple(data, depth)
	}
	rest, entries, err := s.enter(data, true, depth)
	next := 0
	for i := 0; i < entries && err == nil; i++ {
		var name []byte
		if end := lengthOfShortText(rest); end < len(rest) {
			name, rest = rest[1:1+end], rest[1+end:]
		} else if name, rest, err = nameAt(rest); err != nil {
			return nil, err
		}
		next = s.field(name, next)
		if next < 0 {
			next = 0
			rest, err = takeAny(rest, depth+1)
			continue
		}
		f := &s.fields[next]
		next++
		if rest, err = f.shape.take(rest, depth+1); err != nil && err != errCutShort && err != errTooDeep {
			err = fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return rest, err
}

// lengthOfShortText returns how long the text at the start of data is; more than data has if
// there is none, or a longer one.
func lengthOfShortText(data []byte) int {
	if len(data) == 0 || data[0]&0xe0 != 0xa0 {
		return math.MaxInt
	}
	return int(data[0] & 0x1f)
}

// nameAt returns the text at the start of data.
func nameAt(data []byte) (name, rest []byte, err error) {
	if len(data) == 0 {
		return nil, nil, errCutShort
	}
	head, length := uint64(1), uint64(data[0]&0x1f)
	if tag := data[0]; tag&0xe0 != 0xa0 {
		if !isText(tag) {
			return nil, nil, fmt.Errorf("%s is not the name of a field", kindOfMsgPack(tag))
		}
		if head, length, err = msgPackLength(data, tag-0xd9); err != nil {
			return nil, nil, err
		}
	}
	if length > uint64(len(data))-head {
		return nil, nil, errCutShort
	}
	return data[head : head+length], data[head+length:], nil
}

// takeTuple takes a struct whose fields are a list, of which empty ones may be nil.
func (s *shape) takeTuple(data []byte, depth int) ([]byte, error) {
	rest, entries, err := s.enter(data, false, depth)
	for i := 0; i < entries && err == nil; i++ {
		switch {
		case len(rest) > 0 && rest[0] == 0xc0:
			rest = rest[1:]
		case i < len(s.tuple):
			rest, err = s.tuple[i].take(rest, depth+1)
		default:
			rest, err = takeAny(rest, depth+1)
		}
	}
	return rest, err
}

// takeOpen takes what an interface can hold: anything but maps with other keys than text,
// and extensions other than times. Its key is a text, its elem itself.
func (s *shape) takeOpen(data []byte, depth int) ([]byte, error) {
	tag := data[0]
	switch {
	case tag < 0x80 || tag >= 0xe0:
		return data[1:], nil
	case tag < 0x90 || tag >= 0xde:
		return s.takeMap(data, depth)
	case tag < 0xa0 || tag >= 0xdc:
		return s.takeList(data, depth)
	case tag >= 0xc7 && tag < 0xca || tag >= 0xd4 && tag < 0xd9:
		return s.takeTime(data)
	}
	return takeAny(data, depth)
}
