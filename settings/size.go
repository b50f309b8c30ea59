package settings

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// Size is a number of bytes, not negative. It is written with a unit, as in 64MiB (of
// 1,024) or 64MB (of 1,000), or as a plain number.
type Size int64

// String returns the size as UnmarshalText reads it, exactly: in the largest unit of
// 1,024 that divides it.
func (s Size) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := int64(s), 0
	for value != 0 && value%1024 == 0 {
		value, unit = value/1024, unit+1
	}
	return strconv.FormatInt(value, 10) + units[unit]
}

// MarshalText returns String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a number with or without a unit.
func (s *Size) UnmarshalText(text []byte) error {
	trimmed := whole(strings.TrimSpace(string(text)))
	value, err := strconv.ParseUint(trimmed, 10, 64)
	if _, isNumber := strconv.ParseFloat(trimmed, 64); err != nil && isNumber != nil {
		value, err = humanize.ParseBytes(trimmed)
	}
	if err != nil || value > math.MaxInt64 || strings.HasPrefix(trimmed, "-") {
		return errors.New("write a size as 64MiB, or as a whole number of bytes")
	}
	*s = Size(value)
	return nil
}
