package actor

import (
	"errors"
	"fmt"
)

// msgPackNil is the encoding of nil.
const msgPackNil = 0xc0

var (
	errCutShort = errors.New("it is cut short")
	errTooDeep  = errors.New("it is nested too deep")
)

// checkMsgPack reports whether data is exactly one MessagePack value whose lengths
// are true and whose depth is bounded.
func checkMsgPack(data []byte) error {
	rest, err := takeAny(data, 1)
	if err == nil && len(rest) > 0 {
		err = followed(rest)
	}
	return err
}

func followed(rest []byte) error { return fmt.Errorf("%d bytes follow the value", len(rest)) }

// takeAny returns what follows the value at the start of data, which is on that level.
func takeAny(data []byte, depth int) (rest []byte, err error) {
	size, values, err := msgPackHead(data)
	switch {
	case err != nil:
		return nil, err
	case size > uint64(len(data)) || values > uint64(len(data))-size:
		return nil, errCutShort
	case values > 0 && depth == maxDepth:
		return nil, errTooDeep
	}
	rest = data[size:]
	for ; values > 0 && err == nil; values-- {
		rest, err = takeAny(rest, depth+1)
	}
	return rest, err
}

// msgPackHead returns how long the value at the start of data is, without the
// values inside it, and how many those are.
// See https://github.com/msgpack/msgpack/blob/master/spec.md.
func msgPackHead(data []byte) (size, values uint64, err error) {
	if len(data) == 0 {
		return 0, 0, errCutShort
	}
	switch tag := data[0]; {
	case tag < 0x80 || tag >= 0xe0: // small integers
		return 1, 0, nil
	case tag < 0x90:
		return 1, 2 * uint64(tag&0x0f), nil // map
	case tag < 0xa0:
		return 1, uint64(tag & 0x0f), nil // array
	case tag < 0xc0:
		return 1 + uint64(tag&0x1f), 0, nil // string
	case tag == 0xc1:
		return 0, 0, errors.New("the byte c1 begins no value")
	case tag < 0xc4: // nil, false, true
		return 1, 0, nil
	case tag < 0xc7: // bytes
		head, n, err := msgPackLength(data, tag-0xc4)
		return head + n, 0, err
	case tag < 0xca: // extensions, with a type
		head, n, err := msgPackLength(data, tag-0xc7)
		return head + 1 + n, 0, err
	case tag == 0xca:
		return 1 + 4, 0, nil // float32
	case tag == 0xcb:
		return 1 + 8, 0, nil // float64
	case tag < 0xd4: // unsigned and signed integers
		return 1 + 1<<(tag&3), 0, nil
	case tag < 0xd9: // extensions of 1 to 16 bytes, with a type
		return 2 + 1<<(tag-0xd4), 0, nil
	case tag < 0xdc: // strings
		head, n, err := msgPackLength(data, tag-0xd9)
		return head + n, 0, err
	case tag < 0xde: // arrays
		return msgPackLength(data, tag-0xdc+1)
	default: // maps
		head, n, err := msgPackLength(data, tag-0xde+1)
		return head, 2 * n, err
	}
}

// msgPackLength reads the length of 1<<width bytes behind the tag, and returns how
// long both are.
func msgPackLength(data []byte, width byte) (head, length uint64, err error) {
	head = 1 + 1<<width
	if uint64(len(data)) < head {
		return 0, 0, errCutShort
	}
	for _, b := range data[1:head] {
		length = length<<8 | uint64(b)
	}
	return head, length, nil
}
