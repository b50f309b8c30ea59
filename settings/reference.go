package settings

import (
	"bytes"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/settings/internal/document"
	"go.yaml.in/yaml/v3"
)

// Reference writes a settings file in YAML with all keys of T: what each is for, its
// type, its default, its rules, its environment variable if prefix is that of an [Env],
// and whether a change needs a restart. Loaded as it is, it changes nothing: keys have
// their defaults, and those without one are commented out.
//
// A test that compares it with a file in the repository keeps that file true. The error
// has the code [Unsupported], or is that of w.
func Reference[T any](w io.Writer, prefix string) error {
	schema, err := compile(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	m := manual{prefix: prefix}
	m.group(schema, "", "")
	_, err = w.Write(m.out.Bytes())
	return err
}

type manual struct {
	out     bytes.Buffer
	prefix  string
	restart bool // what is being written needs one
}

// group writes the keys of a struct.
func (m *manual) group(s *shape, path, indent string) {
	for i, f := range s.keys() {
		if i > 0 {
			m.out.WriteByte('\n')
		}
		below, inherited := join(path, f.name), m.restart
		m.restart = m.restart || f.restart
		m.describe(f, below, indent)
		switch {
		case f.shape.form == group && f.optional:
			m.out.WriteString(indent + "#" + f.name + ":\n")
			m.aside(f.shape, below, m.prefix, indent+"#  ")
		case f.shape.form == group:
			m.out.WriteString(indent + f.name + ":\n")
			m.group(f.shape, below, indent+"  ")
		case f.preset != nil:
			m.out.WriteString(indent + f.name + ": " + yamlText(f) + "\n")
		default:
			m.out.WriteString(indent + "#" + f.name + ":\n")
			m.elements(f.shape, indent)
		}
		m.restart = inherited
	}
}

// elements shows the keys in the structs that a list or map holds.
func (m *manual) elements(s *shape, indent string) {
	switch {
	case s.elem == nil || s.elem.form != group:
		return
	case s.form == mapping:
		m.out.WriteString(indent + "#  name:\n")
	default:
		m.out.WriteString(indent + "#  -\n")
	}
	m.aside(s.elem, "", "", indent+"#    ")
}

// aside writes the keys of a struct as a comment.
func (m *manual) aside(s *shape, path, prefix, indent string) {
	inner := manual{prefix: prefix, restart: m.restart}
	inner.group(s, path, "")
	for line := range strings.Lines(inner.out.String()) {
		m.out.WriteString(strings.TrimRight(indent+line, "\n ") + "\n")
	}
}

func (m *manual) describe(f *field, path, indent string) {
	var lines []string
	if f.doc != "" {
		lines = strings.Split(f.doc, "\n")
	}
	if f.shape.form != group {
		facts := []string{f.shape.title()}
		if f.preset != nil {
			facts = append(facts, "default "+strconv.Quote(f.preset.Text))
		}
		if f.secret || f.shape.typ == reflect.TypeFor[Secret]() {
			facts = append(facts, "secret")
		}
		if f.rules != "" {
			facts = append(facts, "rules "+f.rules)
		}
		if m.restart {
			facts = append(facts, "a change needs a restart")
		}
		if m.prefix != "" && (f.shape.elem == nil || f.shape.elem.form != group) {
			facts = append(facts, m.prefix+envName(path))
		}
		lines = append(lines, strings.Join(facts, "; "))
	}
	for _, line := range lines {
		m.out.WriteString(strings.TrimRight(indent+"# "+line, " ") + "\n")
	}
}

// title names a type for people.
func (s *shape) title() string {
	switch s.form {
	case sequence:
		return "list of: " + s.elem.title()
	case mapping:
		return "map of: " + s.elem.title()
	case group:
		return "these keys"
	}
	title := strings.TrimPrefix(strings.TrimPrefix(s.describe(), "a "), "any ")
	return strings.TrimRight(title, ",")
}

// yamlText returns the default of a field as YAML.
func yamlText(f *field) string {
	node := new(yaml.Node)
	if err := node.Encode(f.shape.sample(f.preset.Text)); err != nil {
		return strconv.Quote(f.preset.Text)
	}
	node.Style = yaml.FlowStyle
	encoded, err := yaml.Marshal(node)
	if err != nil {
		return strconv.Quote(f.preset.Text)
	}
	return strings.TrimSpace(string(encoded))
}

// sample returns what a file has to say for what is given as a text elsewhere.
func (s *shape) sample(from string) any {
	switch {
	case s.form == sequence:
		items := []any{}
		for _, part := range separate(from) {
			items = append(items, s.elem.sample(part))
		}
		return items
	case s.form == mapping:
		entries := map[string]any{}
		for _, part := range separate(from) {
			name, value, _ := strings.Cut(part, "=")
			entries[strings.TrimSpace(name)] = s.elem.sample(strings.TrimSpace(value))
		}
		return entries
	case s.form == leaf && !isText(s.typ):
		v := reflect.New(s.typ).Elem()
		setBasic(v, &node{Kind: document.Text, Text: from, Loose: true})
		return v.Interface()
	}
	return from
}
