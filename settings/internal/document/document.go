package document

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Malformed is an error at a line of a document, 0 if that is not known.
type Malformed struct {
	Line    int
	Message string
}

// Error returns the message.
func (e *Malformed) Error() string { return e.Message }

// Is reports whether the name of a file ends like one that can be parsed.
func Is(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".toml", ".json":
		return true
	}
	return false
}

// Parse reads a document in the format that the extension of path says. The node is nil if
// the document has no values. An error may be a [*Malformed], or [ErrLimit].
func Parse(path string, content []byte) (root *Node, err error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	g := &Grower{Source: path}
	switch {
	case len(content) == 0:
		return nil, errors.New("the file is empty, as when it is just being written: write {} or a comment if it shall say nothing, or delete it")
	case !utf8.Valid(content):
		return nil, errors.New("it is not text in UTF-8: save it as that")
	case !Is(path):
		return nil, errors.New("it ends in none of .yaml, .yml, .toml and .json, which tell the format: rename it")
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".toml":
		root, err = parseTOML(g, content)
	case ".json":
		root, err = parseJSON(g, content)
	default:
		root, err = parseYAML(g, content)
	}
	if err == nil && root != nil && root.Kind != Table && root.Kind != Null {
		return nil, &Malformed{Line: root.Line, Message: fmt.Sprintf("it is %s, and must be a map of keys to values", root.Kind)}
	}
	return root, err
}

// twice is the error for a key that one map has two times.
func twice(key string, line, first int) error {
	return &Malformed{Line: line, Message: fmt.Sprintf("the key %s is there twice, first in line %d: remove one", key, first)}
}
