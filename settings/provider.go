package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/knadh/koanf/v2"
	"github.com/troupe-go/troupe/settings/internal/document"
)

// provider is a source that a user has made.
type provider struct {
	name   string
	from   koanf.Provider
	parser koanf.Parser
}

// watcher and unwatcher are what a provider has that can be followed.
type (
	watcher interface {
		Watch(changed func(event any, err error)) error
	}
	unwatcher interface{ Unwatch() error }
)

// From is a Provider of koanf: its Read, or its ReadBytes and a parser if one is given.
// name stands for it in errors and in [Live.Explain].
//
// If the provider has the methods
//
//	Watch(func(event any, err error)) error
//	Unwatch() error
//
// it is followed. Watch may return at once or when Unwatch is called; Unwatch ends
// what Watch started. When Watch or its function tells of an error, the provider is
// unwatched and watched again, after a pause. Without these methods the provider is
// read again when another source has changed.
//
// Read returns the present values: nested maps of map[string]any, []any, strings, booleans
// and numbers, of which whole ones may have any type. Its methods may be called
// concurrently, and must return; what Read returned must not be changed later. Watch has its
// function called after each change, when Read says what is new; after Unwatch the function
// is not called any more, and Watch may be called again.
func From(name string, from koanf.Provider, parser ...koanf.Parser) Source {
	p := provider{name: name, from: from}
	if len(parser) > 0 {
		p.parser = parser[0]
	}
	return p
}

func (s provider) addTo(p *plan) { p.sources = append(p.sources, s) }

func (s provider) read(r *reader) {
	var values map[string]any
	at := Origin{Source: s.name}
	r.sources = append(r.sources, s.name)
	err := guard("the provider", func() (err error) {
		if s.from == nil {
			return errors.New("it is nil: give From a provider")
		}
		if s.parser == nil {
			values, err = s.from.Read()
			return err
		}
		content, err := s.from.ReadBytes()
		if err == nil && len(content) > maxFileSize {
			err = fmt.Errorf("%w: it has more than %d bytes: make it smaller", errTooLarge, maxFileSize)
		}
		if err != nil {
			return err
		}
		if values, err = s.parser.Unmarshal(content); err != nil {
			r.problems.add(Malformed, "", at, "it cannot be parsed: %v", err)
		}
		return nil
	})
	if err != nil {
		unreadable(r, s.name, err)
		return
	}
	g := &document.Grower{Source: s.name, Loose: s.parser == nil}
	root, err := g.Grow(values)
	if err != nil {
		r.problems.add(kindOf(err), "", at, "%v", err)
		return
	}
	r.add(root, true, ".")
}

func kindOf(err error) Code {
	if errors.Is(err, document.ErrLimit) {
		return TooLarge
	}
	return WrongType
}

type memory struct {
	name string
	root *node
	err  error
}

// Map is values in memory, such as the defaults of a program that it computes. Keys are
// names or paths: {"http.timeout": "5s"} and {"http": {"timeout": "5s"}} are the same.
// The map is copied.
func Map(values map[string]any) Source {
	const name = "map"
	g := &document.Grower{Source: name}
	m := memory{name: name, root: &node{Kind: document.Table, Fields: make(map[string]*node), Source: name}}
	for _, path := range slices.Sorted(maps.Keys(values)) {
		value, err := g.Grow(map[string]any{path: values[path]})
		if err == nil {
			err = graft(m.root, path, value.Fields[path])
		}
		m.err = errors.Join(m.err, err)
	}
	return m
}

// graft puts a value into a table, below the steps of a path.
func graft(into *node, path string, value *node) error {
	steps, ok := split(path)
	if !ok || len(steps) == 0 {
		return fmt.Errorf("%q is no key: separate names by dots, and quote those that have dots", path)
	}
	last := len(steps) - 1
	for _, step := range steps[:last] {
		below := into.Fields[step]
		if below == nil {
			below = &node{Kind: document.Table, Fields: make(map[string]*node), Source: into.Source, Line: into.Line}
			into.Fields[step] = below
		}
		if below.Kind != document.Table {
			return fmt.Errorf("the key %s is there twice: remove one", path)
		}
		into = below
	}
	existing := into.Fields[steps[last]]
	switch {
	case existing == nil:
		into.Fields[steps[last]] = value
	case existing.Kind != document.Table || value.Kind != document.Table:
		return fmt.Errorf("the key %s is there twice: remove one", path)
	default:
		for _, name := range slices.Sorted(maps.Keys(value.Fields)) {
			if err := graft(existing, join("", name), value.Fields[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m memory) addTo(p *plan) { p.sources = append(p.sources, m) }

func (m memory) read(r *reader) {
	if m.err != nil {
		r.problems.add(Malformed, "", Origin{Source: m.name}, "%v", m.err)
		return
	}
	r.add(m.root, true, ".")
}
