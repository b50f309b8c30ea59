// Package version says in which form something is sent or kept, and who may read it.
//
// There is one rule, for what nodes say to each other and for what is on disk: the same
// major is understood, at the lower minor; another major is refused, by name, and nothing
// of it is changed. docs/adr/0014-versions.md says what either may change.
package version

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Version of a form. Where none is said it is 1.0, which the zero Version stands for, too.
type Version struct{ Major, Minor uint32 }

// One returns 1.0, the first version.
func One() Version { return Version{Major: 1} }

// Wire returns the version of all that nodes say to each other. It is one for the link,
// gossip and the core, since a node that is refused by one of them must not half take
// part.
func Wire() Version { return Version{Major: 1, Minor: 1} }

// ErrMalformed is wrapped by the errors about what is no version.
var ErrMalformed = errors.New("not a version such as 1.0")

// Parse returns the version that String has made text of.
func Parse(text string) (Version, error) {
	major, minor, _ := strings.Cut(text, ".")
	v := Version{}
	for to, digits := range map[*uint32]string{&v.Major: major, &v.Minor: minor} {
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return Version{}, fmt.Errorf("%w: %.20q", ErrMalformed, text)
		}
		*to = uint32(n)
	}
	if v.Major == 0 || v.String() != text {
		return Version{}, fmt.Errorf("%w: %.20q", ErrMalformed, text)
	}
	return v, nil
}

// String returns "<major>.<minor>".
func (v Version) String() string {
	v = v.said()
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// MarshalText implements [encoding.TextMarshaler].
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Version) UnmarshalText(text []byte) (err error) {
	*v, err = Parse(string(text))
	return err
}

// said returns 1.0 for the zero Version.
func (v Version) said() Version {
	if v == (Version{}) {
		return One()
	}
	return v
}

// With returns what v and other have in common: the lower minor of the same major. It
// reports false if they have different majors.
func (v Version) With(other Version) (common Version, ok bool) {
	v, other = v.said(), other.said()
	return Version{v.Major, min(v.Minor, other.Minor)}, v.Major == other.Major
}

// Reads returns nil if a program of version v may read what was written in another
// version, and otherwise an error that names what that is: a path, for example.
func (v Version) Reads(written Version, what string) error {
	if _, ok := v.With(written); ok {
		return nil
	}
	return fmt.Errorf("%s has version %s, this program reads %d.x: use the program that wrote it; nothing was changed", what, written, v.said().Major)
}
