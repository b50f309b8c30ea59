package settings

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of what a source may hold.
const (
	maxDepth = 32
	maxNodes = 20_000
)

// kind is what a source says that a value is.
type kind uint8

const (
	null kind = iota
	text
	number
	boolean
	list
	table
)

func (k kind) String() string {
	switch k {
	case text:
		return "a string"
	case number:
		return "a number"
	case boolean:
		return "a boolean"
	case list:
		return "a list"
	case table:
		return "a map"
	}
	return "null"
}

// node is a value of a source. Once read it is not changed.
type node struct {
	kind   kind
	text   string           // of a text, number or boolean
	loose  bool             // a text that may stand for anything
	items  []*node          // of a list
	fields map[string]*node // of a table
	at     Origin
}

// show is for messages about the values of keys that are not secret.
func (n *node) show() string {
	const longest = 40
	switch n.kind {
	case text:
		if utf8.RuneCountInString(n.text) > longest {
			return fmt.Sprintf("%.*q…", longest, n.text)
		}
		return strconv.Quote(n.text)
	case number, boolean:
		return n.text
	}
	return n.kind.String()
}

// plain returns n as the types of a decoded document: nil, string, bool, int64, uint64,
// float64, []any and map[string]any.
func (n *node) plain() any {
	switch n.kind {
	case text:
		return n.text
	case boolean:
		return n.text == "true"
	case number:
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(n.text, 10, 64); err == nil {
			return u
		}
		f, _ := strconv.ParseFloat(n.text, 64)
		return f
	case list:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = item.plain()
		}
		return items
	case table:
		fields := make(map[string]any, len(n.fields))
		for name, field := range n.fields {
			if field.kind != null {
				fields[name] = field.plain()
			}
		}
		return fields
	}
	return nil
}

// grower makes the nodes of one document, within the limits.
type grower struct {
	source string
	loose  bool     // whether the source knows texts only
	path   []string // of what is being made
	lines  func(path []string) int
	count  int
}

// errLimit is wrapped by the errors of documents that are too large.
var errLimit = fmt.Errorf("it is beyond the limits of %d values and a depth of %d: make it smaller", maxNodes, maxDepth)

// enter must be called for each value, and leave after it.
func (g *grower) enter(segment string) error {
	g.path = append(g.path, segment)
	if g.count++; g.count > maxNodes || len(g.path) > maxDepth+1 {
		return errLimit
	}
	return nil
}

func (g *grower) leave() { g.path = g.path[:len(g.path)-1] }

func (g *grower) node(k kind, content string) *node {
	n := &node{kind: k, text: content, loose: g.loose && k == text, at: Origin{Source: g.source}}
	if g.lines != nil {
		n.at.Line = g.lines(g.path[1:])
	}
	return n
}

// grow makes a node of a value of Go, as decoders and providers return them.
func (g *grower) grow(segment string, value any) (*node, error) {
	if err := g.enter(segment); err != nil {
		return nil, err
	}
	defer g.leave()
	switch v := value.(type) {
	case nil:
		return g.node(null, ""), nil
	case json.Number:
		return g.node(number, v.String()), nil
	case time.Duration:
		return g.node(text, v.String()), nil
	case Secret:
		return g.node(text, v.Reveal()), nil
	case *url.URL:
		if v == nil {
			return g.node(null, ""), nil
		}
		return g.node(text, v.String()), nil
	case encoding.TextMarshaler:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return g.node(null, ""), nil
		}
		content, err := v.MarshalText()
		return g.node(text, string(content)), err
	}
	return g.growReflected(reflect.ValueOf(value))
}

func (g *grower) growReflected(v reflect.Value) (*node, error) {
	switch v.Kind() {
	case reflect.String:
		return g.node(text, v.String()), nil
	case reflect.Bool:
		return g.node(boolean, strconv.FormatBool(v.Bool())), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return g.node(number, strconv.FormatInt(v.Int(), 10)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return g.node(number, strconv.FormatUint(v.Uint(), 10)), nil
	case reflect.Float32, reflect.Float64:
		return g.node(number, formatFloat(v.Float())), nil
	case reflect.Pointer:
		if v.IsNil() {
			return g.node(null, ""), nil
		}
		return g.grow("*", v.Elem().Interface())
	case reflect.Slice, reflect.Array:
		n := g.node(list, "")
		for i := range v.Len() {
			item, err := g.grow(strconv.Itoa(i), v.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		return n, nil
	case reflect.Map:
		n := g.node(table, "")
		n.fields = make(map[string]*node, v.Len())
		for entries := v.MapRange(); entries.Next(); {
			key := fmt.Sprint(entries.Key().Interface())
			field, err := g.grow(key, entries.Value().Interface())
			if err != nil {
				return nil, err
			}
			n.fields[key] = field
		}
		return n, nil
	}
	return nil, fmt.Errorf("%s has the type %s: use strings, numbers, booleans, lists and maps",
		strings.Join(g.path[1:], "."), v.Type())
}

// formatFloat keeps it apart from an integer: ten is 10.0.
func formatFloat(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
