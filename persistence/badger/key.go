package badger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Key is a key for AES, of 16, 24 or 32 bytes. It is not printed: fmt and log/slog show
// it as "REDACTED".
type Key []byte

// UnmarshalText reads hexadecimal digits, as settings have them.
func (k *Key) UnmarshalText(text []byte) error {
	bytes := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(bytes, text); err != nil {
		return errors.New("a key has 32, 48 or 64 hexadecimal digits")
	}
	*k = bytes
	return nil
}

// Format writes "REDACTED", whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "REDACTED".
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

const redacted = "REDACTED"
