package document

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxTOMLKeys is how many keys a document may have: the time of the decoder grows with
// the square of their number.
const maxTOMLKeys = 5000

func parseTOML(g *Grower, content []byte) (*Node, error) {
	lines := indexTOML(content)
	if lines == nil {
		return nil, fmt.Errorf("%w, or has more than %d keys", ErrLimit, maxTOMLKeys)
	}
	var values map[string]any
	if err := toml.Unmarshal(content, &values); err != nil {
		broken := &Malformed{Message: "this is not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
		if where, ok := errors.AsType[*toml.DecodeError](err); ok {
			broken.Line, _ = where.Position()
		}
		return nil, broken
	}
	g.lines = lines.of
	return g.grow("", values)
}

// tomlLines says in which line of a document a key is. The decoder does not tell; the
// parser below it does.
type tomlLines struct {
	breaks []int          // the offsets of the line breaks
	lines  map[string]int // by path
	arrays map[string]int // by path: the index of the last table of an array of tables
	count  int            // of keys
}

const tomlSeparator = "\x00"

// indexTOML returns nil for a document that has too many keys.
func indexTOML(content []byte) *tomlLines {
	l := &tomlLines{lines: make(map[string]int), arrays: make(map[string]int)}
	for offset, c := range content {
		if c == '\n' {
			l.breaks = append(l.breaks, offset)
		}
	}
	parser := &unstable.Parser{}
	parser.Reset(content)
	var current []string
	for parser.NextExpression() {
		switch e := parser.Expression(); e.Kind {
		case unstable.Table:
			current = l.keys(nil, e.Key(), false)
		case unstable.ArrayTable:
			current = l.keys(nil, e.Key(), true)
		case unstable.KeyValue:
			l.pair(current, e)
		}
		if l.count > maxTOMLKeys {
			return nil
		}
	}
	return l
}

// keys returns the path that the keys lead to from base, and notes their lines.
func (l *tomlLines) keys(base []string, keys unstable.Iterator, startsElement bool) []string {
	path := slices.Clone(base)
	for keys.Next() {
		key := keys.Node()
		l.count++
		if path = append(path, string(key.Data)); len(path) > maxDepth {
			return path // the grower will refuse it
		}
		joined := strings.Join(path, tomlSeparator)
		line, _ := slices.BinarySearch(l.breaks, int(key.Raw.Offset))
		if _, known := l.lines[joined]; !known {
			l.lines[joined] = line + 1
		}
		index, isArray := l.arrays[joined]
		if startsElement && keys.IsLast() {
			if isArray {
				index++
			}
			l.arrays[joined], isArray = index, true
			l.lines[joined+tomlSeparator+strconv.Itoa(index)] = line + 1
		}
		if isArray {
			path = append(path, strconv.Itoa(index))
		}
	}
	return path
}

func (l *tomlLines) pair(base []string, pair *unstable.Node) {
	l.value(l.keys(base, pair.Key(), false), pair.Value())
}

// value notes the keys in a value. The parser bounds how deep that goes.
func (l *tomlLines) value(path []string, value *unstable.Node) {
	switch value.Kind {
	case unstable.InlineTable:
		for pairs := value.Children(); pairs.Next(); {
			l.pair(path, pairs.Node())
		}
	case unstable.Array:
		index := 0
		for items := value.Children(); items.Next(); index++ {
			l.value(append(path[:len(path):len(path)], strconv.Itoa(index)), items.Node())
		}
	}
}

// of returns the line of a path, or of the nearest that holds it.
func (l *tomlLines) of(path []string) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if line, known := l.lines[strings.Join(path, tomlSeparator)]; known {
			return line
		}
	}
	return 1
}
