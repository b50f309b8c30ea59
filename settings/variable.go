package settings

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/troupe-go/troupe/settings/internal/document"
)

type environment struct {
	prefix   string
	except   []string
	services services
}

// Env is the environment variables whose names begin with prefix, as they are when
// [Load] is called. With the prefix SHOP_ the key http.read_timeout is
// SHOP_HTTP_READ_TIMEOUT, and the entry team of the map labels is SHOP_LABELS_TEAM. A
// variable that begins so and is no key is an error, unless the rest of its name is one
// of except, or Kubernetes has set it for a Service (SHOP_SERVICE_HOST). An entry of a map
// that another source spells with dots or dashes, or in upper case, is meant by its
// variable as well.
func Env(prefix string, except ...string) Source {
	return environment{prefix: strings.ToUpper(prefix), except: except, services: newServices()}
}

func (e environment) addTo(p *plan) { p.sources = append(p.sources, e) }

func (e environment) read(r *reader) {
	if e.prefix == "" {
		r.problems.add(Unsupported, "", Origin{Source: "environment"}, "Env needs a prefix, since variables that are no keys are errors: give it one")
		return
	}
	given := make(map[string]Origin) // by path
	for _, name := range slices.Sorted(maps.Keys(r.environ)) {
		short, ok := strings.CutPrefix(strings.ToUpper(name), e.prefix)
		if !ok || slices.ContainsFunc(e.except, func(x string) bool { return strings.EqualFold(x, short) }) {
			continue
		}
		at := Origin{Source: "environment " + name}
		meant, _ := r.schema.variable(short, at, new(problems))
		if e.services.have(r.environ, name, r.environ[name], r.schema.at(meant)) {
			continue
		}
		r.sources = append(r.sources, at.Source)
		steps, entry := r.schema.variable(short, at, r.problems)
		path := ""
		for _, step := range steps {
			path = join(path, step)
		}
		switch other, twice := given[path]; {
		case len(steps) == 0:
			if !r.concerns(at) {
				var known []string
				for _, leaf := range r.schema.leaves() {
					known = append(known, e.prefix+envName(leaf))
				}
				r.problems.add(UnknownKey, "", at, "no key has this variable; %s", hint(e.prefix+short, known))
			}
		case twice:
			r.problems.add(Malformed, path, at, "the key is there twice, in different spellings (see also %s): unset one", other.Source)
		default:
			given[path] = at
			r.addText(steps, entry, r.environ[name], at)
		}
	}
}

// concerns reports whether there is a problem at the place.
func (r *reader) concerns(at Origin) bool {
	return slices.ContainsFunc(*r.problems, func(p Problem) bool { return p.At == at })
}

// addText adds a layer with one key. entry is which of the steps names an entry of a map,
// 0 for none: it may be spelled otherwise.
func (r *reader) addText(steps []string, entry int, value string, at Origin) {
	n := &node{Kind: document.Text, Text: value, Loose: true, Source: at.Source, Line: at.Line}
	for _, step := range slices.Backward(steps) {
		n = &node{Kind: document.Table, Fields: map[string]*node{step: n}, Source: at.Source, Line: at.Line}
	}
	r.add(n, false, ".")
	if entry > 0 {
		r.guessed = append(r.guessed, guessed{layer: len(r.layers) - 1, steps: steps[:entry+1], at: at})
	}
}

// guessed is the entry of a map that a variable or a flag stands for, whose name cannot
// tell small letters, dots and dashes.
type guessed struct {
	layer int
	steps []string // to the entry
	at    Origin
}

// respell gives entries the names that other sources spell out.
func (r *reader) respell() {
	ofGuess := make(map[int]bool)
	for _, g := range r.guessed {
		ofGuess[g.layer] = true
	}
	for _, g := range r.guessed {
		last := len(g.steps) - 1
		spelled := make(map[string]bool)
		for i, layer := range r.layers {
			if ofGuess[i] {
				continue
			}
			if n := find(layer, g.steps[:last]); n != nil {
				for name := range n.Fields {
					if entryName(name) == entryName(g.steps[last]) {
						spelled[name] = true
					}
				}
			}
		}
		names := slices.Sorted(maps.Keys(spelled))
		path := ""
		for _, step := range g.steps[:last] {
			path = join(path, step)
		}
		switch len(names) {
		case 0:
		case 1:
			into := find(r.layers[g.layer], g.steps[:last])
			if entry := find(into, g.steps[last:]); entry != nil {
				delete(into.Fields, g.steps[last])
				into.Fields[names[0]] = entry
			}
		default:
			r.problems.add(UnknownKey, path, g.at, "it may stand for %s or %s: say it in a file", join(path, names[0]), join(path, names[1]))
		}
	}
}

// at returns the shape of the key with these steps, nil if there are none.
func (s *shape) at(steps []string) *shape {
	path := ""
	for _, step := range steps {
		path = join(path, step)
	}
	if p, err := s.find(path); err == nil && path != "" {
		return p.shape
	}
	return nil
}

// find returns the node below the steps, nil if there is none.
func find(n *node, steps []string) *node {
	for _, step := range steps {
		if n == nil {
			return nil
		}
		n = n.Fields[step]
	}
	return n
}

// entryName returns how a variable spells the entry of a map.
func entryName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return unicode.ToUpper(r)
	}, name)
}

// variable finds the key that a variable, without its prefix and in upper case, stands
// for, and which of its steps names an entry of a map, 0 for none. It returns nil if there
// is none, or, with a problem, more than one.
func (s *shape) variable(name string, at Origin, ps *problems) (steps []string, entry int) {
	var folded, entries []place
	for _, path := range s.leaves() {
		p, err := s.find(path)
		if err != nil {
			continue
		}
		switch variable := envName(path); {
		case variable == name:
			return p.steps, 0
		case foldPath(path) == foldPath(name):
			folded = append(folded, p)
		case p.shape.form == mapping && strings.HasPrefix(name, variable+"_"):
			entries = append(entries, p)
		}
	}
	switch {
	case len(folded) == 1:
		return folded[0].steps, 0
	case len(folded) > 1:
		ps.add(UnknownKey, "", at, "it may stand for %s or %s: write it as %s or %s",
			folded[0].path, folded[1].path, envName(folded[0].path), envName(folded[1].path))
		return nil, 0
	case len(entries) == 0:
		return nil, 0
	}
	longest := slices.MaxFunc(entries, func(a, b place) int { return len(a.path) - len(b.path) })
	return longest.entry(strings.TrimPrefix(name, envName(longest.path)+"_")), len(longest.steps)
}

// entry finds the key in a mapping that the rest of a variable's name stands for.
func (p place) entry(rest string) []string {
	if rest == "" {
		return nil
	}
	elem := p.shape.elem
	if elem.form != group {
		return append(slices.Clone(p.steps), strings.ToLower(rest))
	}
	var found []string
	shortest := len(rest)
	for _, path := range elem.leaves() {
		key, ok := strings.CutSuffix(rest, "_"+envName(path))
		if below, err := elem.find(path); ok && err == nil && key != "" && len(key) < shortest {
			shortest = len(key)
			found = append(append(slices.Clone(p.steps), strings.ToLower(key)), below.steps...)
		}
	}
	return found
}

type flags []flagValue

type flagValue struct{ name, value string }

// Flags is the flags that were given on the command line. Call it after set has been
// parsed. The flag of the key http.read_timeout is named http.read-timeout,
// http-read-timeout, or in another spelling of these; flags that are no keys are for
// the program alone. Their own defaults do not count.
func Flags(set *flag.FlagSet) Source {
	var given flags
	if set != nil {
		set.Visit(func(f *flag.Flag) { given = append(given, flagValue{f.Name, f.Value.String()}) })
	}
	return given
}

func (f flags) addTo(p *plan) { p.sources = append(p.sources, f) }

func (f flags) read(r *reader) {
	for _, given := range f {
		at := Origin{Source: "flag -" + given.name}
		r.sources = append(r.sources, at.Source)
		if steps, entry := r.schema.variable(envName(given.name), at, r.problems); steps != nil {
			r.addText(steps, entry, given.value, at)
		}
	}
}
