package actor

import (
	"errors"
	"fmt"
)

var (
	errCutShort = errors.New("it is cut short")
	errTooDeep  = errors.New("it is nested too deep")
)

// checkMsgPack reports whether data is exactly one MessagePack value whose lengths
// are true and whose depth is bounded. The decoder believes what a payload says of
// itself: nine bytes could make it allocate 64 MB.
func checkMsgPack(data []byte) error {
	var open [maxDepth]uint64 // values still to come on each level
	open[0] = 1
	for depth, rest := 0, data; ; {
		for open[depth] == 0 {
			if depth == 0 {
				if len(rest) > 0 {
					return fmt.Errorf("%d bytes follow the value", len(rest))
				}
				return nil
			}
			depth--
		}
		open[depth]--
		size, values, err := msgPackHead(rest)
		if err != nil {
			return err
		}
		if size > uint64(len(rest)) || values > uint64(len(rest))-size {
			return errCutShort
		}
		rest = rest[size:]
		if values == 0 {
			continue
		}
		if depth++; depth == maxDepth {
			return errTooDeep
		}
		open[depth] = values
	}
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
