package virtual

import (
	"encoding/hex"
	"strings"

	"github.com/troupe-go/troupe/actor"
)

// extensionName begins the paths of all virtual actors and of their Refs.
const (
	extensionName = "virtual"
	scheme        = extensionName + ":///"
	maxLabel      = 64
	maxName       = 128 // of an actor
)

// actorName returns what the activation of a key is called on its node, such as
// "virtual:room:lobby", or "virtual:janitor" without a key. It is the same on every
// node, and so is the identity under which package persistence keeps its state.
func actorName(kind, key string) string {
	if key == "" {
		return extensionName + ":" + kind
	}
	return extensionName + ":" + kind + ":" + escape(key)
}

// parseName is the inverse of actorName, for a name from another node.
func parseName(name string) (kind, key string, err error) {
	rest, ok := strings.CutPrefix(name, extensionName+":")
	kind, escaped, _ := strings.Cut(rest, ":")
	if ok && isLabel(kind) {
		if key, err = unescape(escaped); err == nil && actorName(kind, key) == name {
			return kind, key, nil
		}
	}
	return "", "", actor.Errorf(actor.InvalidArgument, "%.200q is not the name of a virtual actor", name)
}

// parsePath returns what the path of a Ref says.
func parsePath(path string) (kind, key string, err error) {
	rest, ok := strings.CutPrefix(path, scheme)
	kind, escaped, _ := strings.Cut(rest, "/")
	if ok && isLabel(kind) {
		if key, err = unescape(escaped); err == nil {
			return kind, key, nil
		}
	}
	return "", "", actor.Errorf(actor.InvalidArgument, "%.200q is not the path of a virtual actor", path)
}

// refPath returns the path of the Ref for the actor with that name.
func refPath(name string) string {
	rest := strings.TrimPrefix(name, extensionName+":")
	return scheme + strings.Replace(rest, ":", "/", 1)
}

// isLabel reports whether text can name a kind, or a role.
func isLabel(text string) bool {
	if text == "" || len(text) > maxLabel {
		return false
	}
	for i := range len(text) {
		if !plain(text[i]) {
			return false
		}
	}
	return true
}

// plain reports whether c stands for itself in a name.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.@+", c) >= 0
}

// escape writes every byte that is not plain as "~" and two digits.
func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('~')
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '~' {
			b.WriteByte(text[i])
			continue
		}
		if len(text)-i < 3 {
			return "", hex.ErrLength
		}
		c, err := hex.DecodeString(text[i+1 : i+3])
		if err != nil {
			return "", err
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), nil
}
