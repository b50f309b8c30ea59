package document

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

// Kind is what a source says that a value is.
type Kind uint8

const (
	Null Kind = iota
	Text
	Number
	Boolean
	List
	Table
)

// String returns it with an article, as in "a list".
func (k Kind) String() string {
	switch k {
	case Text:
		return "a string"
	case Number:
		return "a number"
	case Boolean:
		return "a boolean"
	case List:
		return "a list"
	case Table:
		return "a map"
	}
	return "null"
}

// Node is a value of a source. Once read it is not changed.
type Node struct {
	Kind   Kind
	Text   string           // of a text, number or boolean
	Loose  bool             // a text that may stand for anything
	Items  []*Node          // of a list
	Fields map[string]*Node // of a table

	// Source and Line are where it was given; a source without lines has Line 0.
	Source string
	Line   int
}

// Show is for messages about the values of keys that are not secret.
func (n *Node) Show() string {
	const longest = 40
	switch n.Kind {
	case Text:
		if utf8.RuneCountInString(n.Text) > longest {
			return fmt.Sprintf("%.*q…", longest, n.Text)
		}
		return strconv.Quote(n.Text)
	case Number, Boolean:
		return n.Text
	}
	return n.Kind.String()
}

// Plain returns n as the types of a decoded document: nil, string, bool, int64, uint64,
// float64, []any and map[string]any.
func (n *Node) Plain() any {
	switch n.Kind {
	case Text:
		return n.Text
	case Boolean:
		return n.Text == "true"
	case Number:
		if i, err := strconv.ParseInt(n.Text, 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(n.Text, 10, 64); err == nil {
			return u
		}
		f, _ := strconv.ParseFloat(n.Text, 64)
		return f
	case List:
		items := make([]any, len(n.Items))
		for i, item := range n.Items {
			items[i] = item.Plain()
		}
		return items
	case Table:
		fields := make(map[string]any, len(n.Fields))
		for name, field := range n.Fields {
			if field.Kind != Null {
				fields[name] = field.Plain()
			}
		}
		return fields
	}
	return nil
}

// Grower makes the nodes of one source, within the limits.
type Grower struct {
	Source string
	Loose  bool // whether the source knows texts only

	path  []string // of what is being made
	lines func(path []string) int
	count int
}

// ErrLimit is wrapped by the errors of documents that are too large.
var ErrLimit = fmt.Errorf("it is beyond the limits of %d values and a depth of %d: make it smaller", maxNodes, maxDepth)

// enter must be called for each value, and leave after it.
func (g *Grower) enter(segment string) error {
	g.path = append(g.path, segment)
	if g.count++; g.count > maxNodes || len(g.path) > maxDepth+1 {
		return ErrLimit
	}
	return nil
}

func (g *Grower) leave() { g.path = g.path[:len(g.path)-1] }

func (g *Grower) node(k Kind, content string) *Node {
	n := &Node{Kind: k, Text: content, Loose: g.Loose && k == Text, Source: g.Source}
	if g.lines != nil {
		n.Line = g.lines(g.path[1:])
	}
	return n
}

// Grow makes a node of a value of Go, as decoders and providers return them.
func (g *Grower) Grow(value any) (*Node, error) { return g.grow("", value) }

func (g *Grower) grow(segment string, value any) (*Node, error) {
	if err := g.enter(segment); err != nil {
		return nil, err
	}
	defer g.leave()
	switch v := value.(type) {
	case nil:
		return g.node(Null, ""), nil
	case json.Number:
		return g.node(Number, v.String()), nil
	case time.Duration:
		return g.node(Text, v.String()), nil
	case interface{ Reveal() string }: // a secret
		return g.node(Text, v.Reveal()), nil
	case *url.URL:
		if v == nil {
			return g.node(Null, ""), nil
		}
		return g.node(Text, v.String()), nil
	case encoding.TextMarshaler:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return g.node(Null, ""), nil
		}
		content, err := v.MarshalText()
		return g.node(Text, string(content)), err
	}
	return g.growReflected(reflect.ValueOf(value))
}

func (g *Grower) growReflected(v reflect.Value) (*Node, error) {
	switch v.Kind() {
	case reflect.String:
		return g.node(Text, v.String()), nil
	case reflect.Bool:
		return g.node(Boolean, strconv.FormatBool(v.Bool())), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return g.node(Number, strconv.FormatInt(v.Int(), 10)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return g.node(Number, strconv.FormatUint(v.Uint(), 10)), nil
	case reflect.Float32, reflect.Float64:
		return g.node(Number, formatFloat(v.Float())), nil
	case reflect.Pointer:
		if v.IsNil() {
			return g.node(Null, ""), nil
		}
		return g.grow("*", v.Elem().Interface())
	case reflect.Slice, reflect.Array:
		n := g.node(List, "")
		for i := range v.Len() {
			item, err := g.grow(strconv.Itoa(i), v.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
		return n, nil
	case reflect.Map:
		n := g.node(Table, "")
		n.Fields = make(map[string]*Node, v.Len())
		for entries := v.MapRange(); entries.Next(); {
			key := fmt.Sprint(entries.Key().Interface())
			field, err := g.grow(key, entries.Value().Interface())
			if err != nil {
				return nil, err
			}
			n.Fields[key] = field
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
