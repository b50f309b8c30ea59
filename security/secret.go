package security

import (
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	minSecretLength = 16   // characters
	maxSecretSize   = 4096 // bytes

	redacted = "REDACTED"
)

// Secret is the secret that the nodes of a cluster share. It cannot be printed:
// in fmt, log/slog and the encodings that use encoding.TextMarshaler it shows as
// "REDACTED". The zero Secret is no secret; see [Secret.IsZero].
type Secret struct {
	// A pointer, because fmt prints unexported fields of the structs that hold a
	// Secret without asking its methods, but does not follow pointers in there.
	text *string
}

var (
	_ fmt.Formatter          = Secret{}
	_ fmt.Stringer           = Secret{}
	_ slog.LogValuer         = Secret{}
	_ encoding.TextMarshaler = Secret{}
)

// ParseSecret makes a Secret of text, such as the value of an environment
// variable. White space around it is ignored. It returns an error that wraps
// [ErrSecret], and does not repeat the text, unless there are at least 16
// characters, at most 4096 bytes, and no control characters among them.
func ParseSecret(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case n < minSecretLength:
		return Secret{}, fmt.Errorf("%w: it has %d characters and needs at least %d: make one with 'openssl rand -hex 32'",
			ErrSecret, n, minSecretLength)
	case len(text) > maxSecretSize:
		return Secret{}, fmt.Errorf("%w: it is longer than %d bytes: make one with 'openssl rand -hex 32'",
			ErrSecret, maxSecretSize)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return Secret{}, fmt.Errorf("%w: it must be one line of text: make one with 'openssl rand -hex 32'", ErrSecret)
	}
	text = strings.Clone(text) // not a window into a larger text, which may hold more secrets
	return Secret{text: &text}, nil
}

// IsZero reports whether s is the zero Secret, that is, no secret was given.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns "REDACTED".
func (s Secret) String() string { return redacted }

// Format writes "REDACTED", whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "REDACTED".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "REDACTED". There is no way back.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
