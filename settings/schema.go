package settings

import (
	"encoding"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/troupe-go/troupe/settings/internal/document"
)

// form is how values of a type are read.
type form uint8

const (
	leaf form = iota // from a scalar
	group
	sequence
	mapping
	anything
)

// shape is what is known of a type.
type shape struct {
	form   form
	typ    reflect.Type // without pointers
	fields []*field     // of a group
	byFold map[string]*field
	elem   *shape // of a sequence or mapping
}

// field is one field of a struct, or of one that is embedded in it.
type field struct {
	name     string // canonical
	goPath   string // the names in Go, from the struct that has the shape
	index    []int
	shape    *shape
	preset   *node // the default, nil if there is none
	doc      string
	rules    string // of the validator
	secret   bool
	restart  bool
	optional bool // a pointer
	embedded bool // its own fields are among those of the struct
}

// compile returns the shape of a struct.
func compile(t reflect.Type) (*shape, error) {
	if t.Kind() != reflect.Struct {
		return nil, failure(Unsupported, "", "settings are a struct, and %s is none: declare one", t)
	}
	var ps problems
	s := (&compiler{ps: &ps}).shape(t, "")
	return s, ps.err()
}

type compiler struct {
	ps   *problems
	open []reflect.Type // structs that are being compiled
}

func (c *compiler) shape(t reflect.Type, path string) *shape {
	for t.Kind() == reflect.Pointer && !isLeaf(t) {
		t = t.Elem()
	}
	s := &shape{typ: t}
	switch {
	case isLeaf(t):
	case t.Kind() == reflect.Struct:
		s.form = group
		c.group(s, path)
	case t.Kind() == reflect.Slice:
		s.form, s.elem = sequence, c.shape(t.Elem(), path)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		s.form, s.elem = mapping, c.shape(t.Elem(), path)
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		s.form = anything
	default:
		c.ps.add(Unsupported, path, Origin{}, "a field of type %s cannot be set: give it an UnmarshalText method, or leave it out with the tag koanf:\"-\"", t)
	}
	return s
}

func (c *compiler) group(s *shape, path string) {
	if slices.Contains(c.open, s.typ) {
		c.ps.add(Unsupported, path, Origin{}, "the type %s holds itself, so that its keys have no end: make the field any, or leave it out with the tag koanf:\"-\"", s.typ)
		return
	}
	c.open = append(c.open, s.typ)
	defer func() { c.open = c.open[:len(c.open)-1] }()
	s.byFold = make(map[string]*field)
	for i := range s.typ.NumField() {
		c.field(s, s.typ.Field(i), path)
	}
}

func (c *compiler) field(s *shape, sf reflect.StructField, path string) {
	name, _, _ := strings.Cut(sf.Tag.Get("koanf"), ",")
	if name == "-" || !sf.IsExported() && !sf.Anonymous {
		return
	}
	if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct && !isLeaf(sf.Type) {
		c.embed(s, sf, path)
		return
	}
	if !sf.IsExported() {
		return
	}
	if name == "" {
		name = sf.Name
	}
	f := &field{
		name: snake(name), goPath: sf.Name, index: sf.Index, doc: sf.Tag.Get("doc"), rules: sf.Tag.Get("validate"),
		optional: sf.Type.Kind() == reflect.Pointer, secret: sf.Tag.Get("secret") == "true", restart: sf.Tag.Get("reload") == "restart",
	}
	path = join(path, f.name)
	f.shape = c.shape(sf.Type, path)
	if preset, there := sf.Tag.Lookup("default"); there {
		f.preset = &node{Kind: document.Text, Text: preset, Loose: true, Source: "default"}
		d := decoder{problems: c.ps}
		d.decode(reflect.New(sf.Type).Elem(), f.shape, f.preset, path, f.secret)
	}
	if strings.ContainsAny(name, `."`) {
		c.ps.add(Unsupported, path, Origin{}, "a name may not have dots or quotes: change the tag koanf")
	}
	c.add(s, f, path)
}

// embed makes the fields of an embedded struct fields of the outer one, as Go does.
func (c *compiler) embed(s *shape, sf reflect.StructField, path string) {
	inner := c.shape(sf.Type, path)
	for _, f := range inner.fields {
		lifted := *f
		lifted.index = append(slices.Clone(sf.Index), f.index...)
		lifted.goPath = sf.Name + "." + f.goPath
		if f.embedded {
			s.fields = append(s.fields, &lifted)
			continue
		}
		c.add(s, &lifted, join(path, f.name))
	}
	s.fields = append(s.fields, &field{goPath: sf.Name, index: sf.Index, shape: inner, embedded: true})
}

func (c *compiler) add(s *shape, f *field, path string) {
	if other := s.byFold[fold(f.name)]; other != nil {
		c.ps.add(Unsupported, path, Origin{}, "the fields %s and %s have the same key: name one of them with the tag koanf", other.goPath, f.goPath)
	}
	s.byFold[fold(f.name)] = f
	s.fields = append(s.fields, f)
}

// keys returns the fields of a group that have keys, in the order of the struct.
func (s *shape) keys() []*field {
	return slices.DeleteFunc(slices.Clone(s.fields), func(f *field) bool { return f.embedded })
}

func (s *shape) names() []string {
	var names []string
	for _, f := range s.keys() {
		names = append(names, f.name)
	}
	return names
}

// isLeaf reports whether values of type t come from a scalar.
func isLeaf(t reflect.Type) bool {
	if isText(t) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return true
	}
	return false
}

// isText reports whether values of type t are written as strings, in files too, though
// t may be of another kind.
func isText(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Duration]() || t == reflect.TypeFor[url.URL]() || t.Kind() == reflect.String ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// place is what a path leads to.
type place struct {
	path    string // canonical
	steps   []string
	root    *shape // where the path begins
	shape   *shape
	preset  bool // has a default
	secret  bool
	restart bool
}

// find follows a path, in any spelling.
func (s *shape) find(path string) (place, error) {
	p := place{root: s, shape: s}
	steps, ok := split(path)
	if !ok {
		return p, failure(UnknownKey, path, "this is no path: separate names by dots, and quote those that have dots")
	}
	for _, step := range steps {
		switch p.shape.form {
		case group:
			f := p.shape.byFold[fold(step)]
			if f == nil {
				return p, failure(UnknownKey, path, "there is no such key; %s", s.guess(path, p.path, p.shape))
			}
			step, p.shape, p.preset = f.name, f.shape, f.preset != nil
			p.secret, p.restart = p.secret || f.secret, p.restart || f.restart
		case mapping:
			p.shape, p.preset = p.shape.elem, false
		default:
			return p, failure(UnknownKey, path, "there are no keys below %s: ask for that", p.path)
		}
		p.steps = append(p.steps, step)
		p.path = join(p.path, step)
	}
	return p, nil
}

// value returns what settings have at the place: not a pointer, and not valid if
// there is nothing.
func (p place) value(settings any) reflect.Value {
	v, s := follow(reflect.ValueOf(settings)), p.root
	for _, step := range p.steps {
		if !v.IsValid() {
			break
		}
		if s.form == group {
			f := s.byFold[fold(step)]
			v, s = follow(v.FieldByIndex(f.index)), f.shape
			continue
		}
		v, s = follow(v.MapIndex(reflect.ValueOf(step).Convert(v.Type().Key()))), s.elem
	}
	return v
}

// guess says what key was meant by path, which is unknown below the group at parent.
func (s *shape) guess(path, parent string, g *shape) string {
	var siblings []string
	for _, name := range g.names() {
		siblings = append(siblings, join(parent, name))
	}
	if _, near := nearest(path, siblings); near {
		return hint(path, siblings)
	}
	leaves := s.leaves()
	for _, leaf := range leaves { // the right name in the wrong place
		if name := leaf[strings.LastIndexByte(leaf, '.')+1:]; fold(name) == fold(path[strings.LastIndexByte(path, '.')+1:]) {
			return hint(leaf, leaves)
		}
	}
	if _, near := nearest(path, leaves); near {
		return hint(path, leaves)
	}
	return hint(path, siblings)
}

// leaves returns the paths of all keys that are no groups.
func (s *shape) leaves() []string {
	var paths []string
	s.walk("", func(path string, f *field) {
		if f.shape.form != group {
			paths = append(paths, path)
		}
	})
	return paths
}

// walk visits the keys of a group and of the groups in it.
func (s *shape) walk(path string, visit func(path string, f *field)) {
	for _, f := range s.keys() {
		below := join(path, f.name)
		visit(below, f)
		if f.shape.form == group {
			f.shape.walk(below, visit)
		}
	}
}
