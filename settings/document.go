package settings

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// The limits of files, in bytes.
const (
	maxFileSize      = 1 << 20
	maxReferenceSize = 64 << 10
)

// malformed is an error at a line of a document.
type malformed struct {
	line    int
	message string
}

func (e *malformed) Error() string { return e.message }

// isDocument reports whether the name of a file ends like one that can be parsed.
func isDocument(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".toml", ".json":
		return true
	}
	return false
}

// parse reads a document in the format that the extension of path says. Problems are
// added to ps; the node is nil then, and also if the document has no values.
func parse(path string, content []byte, ps *problems) *node {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	var root *node
	err := guard("the parser", func() (err error) {
		g := &grower{source: path}
		switch {
		case len(content) == 0:
			return errors.New("the file is empty, as when it is just being written: write {} or a comment if it shall say nothing, or delete it")
		case !utf8.Valid(content):
			return errors.New("it is not text in UTF-8: save it as that")
		case !isDocument(path):
			return errors.New("it ends in none of .yaml, .yml, .toml and .json, which tell the format: rename it")
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".toml":
			root, err = parseTOML(g, content)
		case ".json":
			root, err = parseJSON(g, content)
		default:
			root, err = parseYAML(g, content)
		}
		if err == nil && root != nil && root.kind != table && root.kind != null {
			return &malformed{line: root.at.Line, message: fmt.Sprintf("it is %s, and must be a map of keys to values", root.kind)}
		}
		return err
	})
	if err == nil {
		return root
	}
	code, at := Malformed, Origin{Source: path}
	if errors.Is(err, errLimit) {
		code = TooLarge
	}
	if where, ok := errors.AsType[*malformed](err); ok {
		at.Line = where.line
	}
	ps.add(code, "", at, "%s", err.Error())
	return nil
}

// twice is the error for a key that one map has two times.
func twice(key string, line, first int) error {
	return &malformed{line: line, message: fmt.Sprintf("the key %s is there twice, first in line %d: remove one", key, first)}
}
