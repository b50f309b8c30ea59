package settings

import (
	"path/filepath"
	"strings"

	"github.com/troupe-go/troupe/settings/internal/document"
)

// binder turns what a source has into what fits the shape of the settings: keys in
// their canonical form, and strings with their references replaced.
type binder struct {
	*reader
	variables bool   // whether ${NAME} is a reference
	folder    string // where relative paths begin
}

// bind returns n for a value of shape s. What it cannot make sense of is left out, and
// becomes a problem.
func (b *binder) bind(n *node, s *shape, path string) *node {
	switch {
	case n.Kind == document.Text:
		return b.expand(n, path)
	case n.Kind == document.Table && s.form == group:
		return b.group(n, s, path)
	case n.Kind == document.Table && (s.form == mapping || s.form == anything):
		bound := *n
		bound.Fields = make(map[string]*node, len(n.Fields))
		for name, below := range n.Fields {
			bound.Fields[name] = b.bind(below, s.below(), join(path, name))
		}
		return &bound
	case n.Kind == document.List && (s.form == sequence || s.form == anything):
		bound := *n
		bound.Items = make([]*node, len(n.Items))
		for i, item := range n.Items {
			bound.Items[i] = b.bind(item, s.below(), path)
		}
		return &bound
	}
	return n
}

// below returns the shape of what a sequence, a mapping or anything holds.
func (s *shape) below() *shape {
	if s.form == anything {
		return s
	}
	return s.elem
}

func (b *binder) group(n *node, s *shape, path string) *node {
	bound := *n
	bound.Fields = make(map[string]*node, len(n.Fields))
	for name, below := range n.Fields {
		f := s.byFold[fold(name)]
		if f == nil {
			unknown, meant := join(path, name), "remove it"
			if len(*b.problems) < maxProblems { // guessing takes time, and more are not shown
				meant = b.schema.guess(unknown, path, s)
			}
			b.problems.add(UnknownKey, unknown, at(below), "there is no such key; %s", meant)
			continue
		}
		if other := bound.Fields[f.name]; other != nil {
			b.problems.add(Malformed, join(path, f.name), at(below), "the key is there twice, in different spellings (see also %s): remove one", at(other))
			continue
		}
		bound.Fields[f.name] = b.bind(below, f.shape, join(path, f.name))
	}
	return &bound
}

// expand replaces the references in a text.
func (b *binder) expand(n *node, path string) *node {
	if escaped, ok := strings.CutPrefix(n.Text, "$file:"); ok {
		n = &node{Kind: document.Text, Text: "file:" + escaped, Loose: n.Loose, Source: n.Source, Line: n.Line}
		return b.expandText(n, path)
	}
	if name, ok := strings.CutPrefix(n.Text, "file:"); ok && !strings.HasPrefix(name, "//") {
		return b.expandFile(n, path, name)
	}
	return b.expandText(n, path)
}

// expandText replaces the variables in a text.
func (b *binder) expandText(n *node, path string) *node {
	if !b.variables || !strings.Contains(n.Text, "${") {
		return n
	}
	content, ok := b.expandVariables(n, path, n.Text)
	if !ok {
		return &node{Source: n.Source, Line: n.Line}
	}
	return &node{Kind: document.Text, Text: content, Loose: true, Source: n.Source, Line: n.Line}
}

func (b *binder) expandFile(n *node, path, name string) *node {
	if b.variables {
		var ok bool
		if name, ok = b.expandVariables(n, path, name); !ok {
			return &node{Source: n.Source, Line: n.Line}
		}
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.folder, name)
	}
	content, err := b.readFile(name, maxReferenceSize)
	if err != nil {
		b.problems.add(BadReference, path, at(n), "the file it refers to cannot be read: %v", err)
		return &node{Source: n.Source, Line: n.Line}
	}
	value := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(string(content), "\ufeff"), "\n"), "\r")
	return &node{Kind: document.Text, Text: value, Loose: true, Source: n.Source, Line: n.Line}
}

func (b *binder) expandVariables(n *node, path, from string) (string, bool) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(from, "${")
		if !found {
			out.WriteString(from)
			return out.String(), true
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(escaped + "${")
			from = after
			continue
		}
		out.WriteString(before)
		inside, rest, closed := strings.Cut(after, "}")
		name, fallback, hasFallback := strings.Cut(inside, ":-")
		if !closed || !isVariable(name) {
			b.problems.add(BadReference, path, at(n), "${ begins a reference ${NAME} or ${NAME:-fallback}, and this is none: write $${ if it shall stay as it is")
			return "", false
		}
		value, set := b.environ[name]
		switch {
		case value == "" && hasFallback:
			value = fallback
		case !set:
			b.problems.add(BadReference, path, at(n), "the environment variable %s is not set: set it, or write ${%s:-fallback}", name, name)
			return "", false
		}
		out.WriteString(value)
		from = rest
	}
}

func isVariable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
