package settings

import (
	"path/filepath"
	"strings"
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
	case n.kind == text:
		return b.expand(n, path)
	case n.kind == table && s.form == group:
		return b.group(n, s, path)
	case n.kind == table && (s.form == mapping || s.form == anything):
		bound := *n
		bound.fields = make(map[string]*node, len(n.fields))
		for name, below := range n.fields {
			bound.fields[name] = b.bind(below, s.below(), join(path, name))
		}
		return &bound
	case n.kind == list && (s.form == sequence || s.form == anything):
		bound := *n
		bound.items = make([]*node, len(n.items))
		for i, item := range n.items {
			bound.items[i] = b.bind(item, s.below(), path)
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
	bound.fields = make(map[string]*node, len(n.fields))
	for name, below := range n.fields {
		f := s.byFold[fold(name)]
		if f == nil {
			unknown, meant := join(path, name), "remove it"
			if len(*b.problems) < maxProblems { // guessing takes time, and more are not shown
				meant = b.schema.guess(unknown, path, s)
			}
			b.problems.add(UnknownKey, unknown, below.at, "there is no such key; %s", meant)
			continue
		}
		if other := bound.fields[f.name]; other != nil {
			b.problems.add(Malformed, join(path, f.name), below.at, "the key is there twice, in different spellings (see also %s): remove one", other.at)
			continue
		}
		bound.fields[f.name] = b.bind(below, f.shape, join(path, f.name))
	}
	return &bound
}

// expand replaces the references in a text.
func (b *binder) expand(n *node, path string) *node {
	if escaped, ok := strings.CutPrefix(n.text, "$file:"); ok {
		n = &node{kind: text, text: "file:" + escaped, loose: n.loose, at: n.at}
		return b.expandText(n, path)
	}
	if name, ok := strings.CutPrefix(n.text, "file:"); ok && !strings.HasPrefix(name, "//") {
		return b.expandFile(n, path, name)
	}
	return b.expandText(n, path)
}

// expandText replaces the variables in a text.
func (b *binder) expandText(n *node, path string) *node {
	if !b.variables || !strings.Contains(n.text, "${") {
		return n
	}
	content, ok := b.expandVariables(n, path, n.text)
	if !ok {
		return &node{at: n.at}
	}
	return &node{kind: text, text: content, loose: true, at: n.at}
}

func (b *binder) expandFile(n *node, path, name string) *node {
	if b.variables {
		var ok bool
		if name, ok = b.expandVariables(n, path, name); !ok {
			return &node{at: n.at}
		}
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.folder, name)
	}
	content, err := b.readFile(name, maxReferenceSize)
	if err != nil {
		b.problems.add(BadReference, path, n.at, "the file it refers to cannot be read: %v", err)
		return &node{at: n.at}
	}
	value := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(string(content), "\ufeff"), "\n"), "\r")
	return &node{kind: text, text: value, loose: true, at: n.at}
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
			b.problems.add(BadReference, path, n.at, "${ begins a reference ${NAME} or ${NAME:-fallback}, and this is none: write $${ if it shall stay as it is")
			return "", false
		}
		value, set := b.environ[name]
		switch {
		case value == "" && hasFallback:
			value = fallback
		case !set:
			b.problems.add(BadReference, path, n.at, "the environment variable %s is not set: set it, or write ${%s:-fallback}", name, name)
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
