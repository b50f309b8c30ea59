package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Code classifies a [Problem]. A Code is itself an error, so that
//
//	errors.Is(err, settings.UnknownKey)
//
// asks whether one of the problems in err has that code.
type Code uint8

// The codes.
const (
	Unsupported  Code = iota + 1 // the struct has a field or a tag that this package cannot work with
	Unreadable                   // a file or a provider could not be read
	Malformed                    // not YAML, TOML or JSON, or a key that is there twice
	TooLarge                     // beyond a limit of size or depth
	UnknownKey                   // no field has this key
	WrongType                    // the value does not fit the field
	BadReference                 // ${NAME} or file:path leads nowhere
	Invalid                      // a rule of a validate tag, or a Validate method, refused the value
	Closed                       // the Live has been closed
)

// String returns the name in lower case, such as "unknown key".
func (c Code) String() string {
	switch c {
	case Unsupported:
		return "unsupported"
	case Unreadable:
		return "unreadable"
	case Malformed:
		return "malformed"
	case TooLarge:
		return "too large"
	case UnknownKey:
		return "unknown key"
	case WrongType:
		return "wrong type"
	case BadReference:
		return "bad reference"
	case Invalid:
		return "invalid"
	case Closed:
		return "closed"
	}
	return "code " + strconv.Itoa(int(c))
}

// Error makes a Code an error; see [Code].
func (c Code) Error() string { return c.String() }

// Origin is where a value was given.
type Origin struct {
	// Source is the path of a file, "environment NAME", "flag -name", "default", or
	// the name that was given to [From] or [Map]. It is empty if there is none.
	Source string
	// Line counts from 1. It is 0 for what has no lines.
	Line int
}

// String returns the source and the line, as in "shop.yaml:12".
func (o Origin) String() string {
	if o.Line == 0 {
		return o.Source
	}
	return o.Source + ":" + strconv.Itoa(o.Line)
}

// Problem is one thing that is wrong with the settings.
type Problem struct {
	// Code says what kind of problem it is.
	Code Code
	// Key is the canonical path of the key, or the path as it was written if it is
	// unknown. It is empty for what concerns a source as a whole.
	Key string
	// At is where it is.
	At Origin
	// Message is for people: what is wrong, and what to do next. It never holds the
	// value of a secret.
	Message string
}

// String returns where it is, the key, and the message.
func (p Problem) String() string {
	var parts []string
	for _, part := range []string{p.At.String(), p.Key, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// maxProblems is how many an Error names; the others are counted.
const maxProblems = 50

// Error is all that is wrong with the settings.
type Error struct {
	// Problems holds at least one, in the order of the sources and their lines. It
	// must not be changed.
	Problems []Problem
}

// Error returns one line for each problem.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "settings: " + e.Problems[0].String()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "settings: %d problems:", len(e.Problems))
	for i, p := range e.Problems {
		if i == maxProblems {
			fmt.Fprintf(&text, "\n  and %d more", len(e.Problems)-maxProblems)
			break
		}
		text.WriteString("\n  " + p.String())
	}
	return text.String()
}

// Is lets errors.Is match a [Code].
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Code == code })
}

// problems gathers what is wrong.
type problems []Problem

func (ps *problems) add(code Code, key string, at Origin, format string, args ...any) {
	*ps = append(*ps, Problem{Code: code, Key: key, At: at, Message: fmt.Sprintf(format, args...)})
}

// err returns nil if there are none. sources is their order.
func (ps problems) err(sources ...string) error {
	if len(ps) == 0 {
		return nil
	}
	sorted := slices.Clone(ps)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(
			slices.Index(sources, a.At.Source)-slices.Index(sources, b.At.Source),
			a.At.Line-b.At.Line,
			cmp.Compare(a.Key, b.Key))
	})
	return &Error{Problems: slices.Compact(sorted)}
}

func failure(code Code, key, format string, args ...any) error {
	return &Error{Problems: []Problem{{Code: code, Key: key, Message: fmt.Sprintf(format, args...)}}}
}

// guard calls the code of a user, and makes a panic in it an error.
func guard(what string, call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%s panicked: %v", what, value)
		}
	}()
	return call()
}
