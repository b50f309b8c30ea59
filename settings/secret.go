package settings

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "REDACTED"

// Secret is a string that is not printed: fmt, log/slog, encodings that use
// encoding.TextMarshaler, [Live.Explain] and errors show it as "REDACTED". The zero
// Secret is empty. It is immutable.
type Secret struct {
	// A pointer, because fmt prints unexported fields of the structs that hold a
	// Secret without asking its methods, but does not follow pointers in there.
	text *string
}

// NewSecret returns a Secret with the text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	text = strings.Clone(text) // not a window into a file
	return Secret{text: &text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns "REDACTED".
func (s Secret) String() string { return redacted }

// Format writes "REDACTED", whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "REDACTED".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "REDACTED".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText makes s the text. It returns nil.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
