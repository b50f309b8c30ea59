package settings

import (
	"encoding"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe/settings/internal/document"
)

// decoder sets values from nodes. It is used on a fresh value for each source in turn,
// which is what merges them.
type decoder struct {
	problems *problems
}

// decode sets v, which must be settable, as n says. The node has been bound to s.
func (d *decoder) decode(v reflect.Value, s *shape, n *node, path string, secret bool) {
	if n.Kind == document.Null {
		return
	}
	for v.Kind() == reflect.Pointer && v.Type() != s.typ {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			if v.Type().Elem() == s.typ {
				preset(v.Elem(), s)
			}
		}
		v = v.Elem()
	}
	switch {
	case s.form == leaf:
		d.leaf(v, n, path, secret)
	case s.form == anything:
		v.Set(reflect.ValueOf(merge(v.Interface(), n.Plain())))
	case s.form == group && n.Kind == document.Table:
		for name, below := range n.Fields {
			if f := s.byFold[fold(name)]; f != nil {
				d.decode(v.FieldByIndex(f.index), f.shape, below, join(path, f.name), secret || f.secret)
			}
		}
	case s.form == mapping && (n.Kind == document.Table || n.Loose):
		d.mapping(v, s, n, path, secret)
	case s.form == sequence && (n.Kind == document.List || n.Loose):
		d.sequence(v, s, n, path, secret)
	default:
		d.mismatch(s.describe(), n, path, secret)
	}
}

func (d *decoder) mapping(v reflect.Value, s *shape, n *node, path string, secret bool) {
	fields := n.Fields
	if n.Kind == document.Text {
		fields = make(map[string]*node)
		for _, part := range separate(n.Text) {
			name, value, found := strings.Cut(part, "=")
			if !found {
				d.mismatch("a map as name=value,name=value", n, path, secret)
				return
			}
			fields[strings.TrimSpace(name)] = &node{Kind: document.Text, Text: strings.TrimSpace(value), Loose: true, Source: n.Source, Line: n.Line}
		}
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(fields)))
	}
	for name, below := range fields {
		if below.Kind == document.Null {
			continue
		}
		key := reflect.ValueOf(name).Convert(v.Type().Key())
		elem := reflect.New(v.Type().Elem()).Elem()
		if old := v.MapIndex(key); old.IsValid() {
			elem.Set(old)
		} else if elem.Type() == s.elem.typ {
			preset(elem, s.elem)
		}
		d.decode(elem, s.elem, below, join(path, name), secret)
		v.SetMapIndex(key, elem)
	}
}

func (d *decoder) sequence(v reflect.Value, s *shape, n *node, path string, secret bool) {
	items := n.Items
	if n.Kind == document.Text {
		for _, part := range separate(n.Text) {
			items = append(items, &node{Kind: document.Text, Text: part, Loose: true, Source: n.Source, Line: n.Line})
		}
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		elem := v.Index(i)
		if elem.Type() == s.elem.typ {
			preset(elem, s.elem)
		}
		d.decode(elem, s.elem, item, path+"["+strconv.Itoa(i)+"]", secret)
	}
}

// separate returns the parts of a list in a text.
func separate(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// merge returns a value of type any that had old, and gets new.
func merge(old, new any) any {
	into, ok := old.(map[string]any)
	from, alsoOK := new.(map[string]any)
	if !ok || !alsoOK {
		return new
	}
	for name, value := range from {
		into[name] = merge(into[name], value)
	}
	return into
}

// preset sets the defaults of a struct, whose tags compile has checked.
func preset(v reflect.Value, s *shape) {
	if s.form != group {
		return
	}
	var none problems
	for _, f := range s.keys() {
		into := v.FieldByIndex(f.index)
		if into.Kind() == reflect.Struct {
			preset(into, f.shape)
		}
		if f.preset != nil {
			(&decoder{problems: &none}).decode(into, f.shape, f.preset, "", f.secret)
		}
	}
}

// mismatch adds the problem that n is not what is wanted.
func (d *decoder) mismatch(want string, n *node, path string, secret bool) {
	if secret {
		d.problems.add(WrongType, path, at(n), "%s is wanted here, and this is something else: correct it (it is secret, and not shown)", want)
		return
	}
	d.problems.add(WrongType, path, at(n), "%s is wanted here, and this is %s%s", want, n.Show(), remedy(want, n))
}

func remedy(want string, n *node) string {
	switch {
	case strings.HasPrefix(want, "a string") && (n.Kind == document.Number || n.Kind == document.Boolean):
		return ": put it in quotes"
	case n.Kind != document.Text || n.Loose:
	case strings.HasPrefix(want, "a boolean") && isBool(n.Text), strings.Contains(want, "number") && isNumber(n.Text):
		return ": write it without quotes"
	}
	return ": correct it"
}

func isBool(s string) bool {
	_, err := strconv.ParseBool(s)
	return err == nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// describe says what is wanted for a shape.
func (s *shape) describe() string {
	switch s.form {
	case group, mapping:
		return "a map"
	case sequence:
		return "a list"
	case anything:
		return "any value"
	}
	switch s.typ {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 1m30s"
	case reflect.TypeFor[url.URL]():
		return "a URL"
	case reflect.TypeFor[Size]():
		return "a size such as 64MiB"
	}
	if reflect.PointerTo(s.typ).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a string"
	}
	switch k := s.typ.Kind(); k {
	case reflect.Bool:
		return "a boolean, true or false,"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int64, reflect.Int8, reflect.Int16, reflect.Int32:
		return "a whole number" + ofBits(s.typ)
	default:
		return "a whole number, not negative," + ofBits(s.typ)
	}
}

func ofBits(t reflect.Type) string {
	if t.Bits() == 64 {
		return ""
	}
	return " of " + strconv.Itoa(t.Bits()) + " bits"
}

func (d *decoder) leaf(v reflect.Value, n *node, path string, secret bool) {
	s := &shape{typ: v.Type()}
	if n.Kind == document.List || n.Kind == document.Table {
		d.mismatch(s.describe(), n, path, secret)
		return
	}
	secret = secret || s.typ == reflect.TypeFor[Secret]()
	switch into := v.Addr().Interface().(type) {
	case *time.Duration:
		value, err := time.ParseDuration(n.Text)
		if err != nil || n.Kind == document.Boolean {
			d.mismatch(s.describe(), n, path, secret)
			return
		}
		*into = value
	case *url.URL:
		value, err := url.Parse(n.Text)
		if n.Kind != document.Text {
			d.mismatch(s.describe(), n, path, secret)
			return
		}
		d.refuse(err, path, n, true) // what is wrong may be near the password
		if err == nil {
			*into = *value
		}
	case encoding.TextUnmarshaler:
		if _, isSize := into.(*Size); n.Kind != document.Text && !isSize || n.Kind == document.Boolean {
			d.mismatch(s.describe(), n, path, secret)
			return
		}
		err := guard("UnmarshalText", func() error { return into.UnmarshalText([]byte(n.Text)) })
		d.refuse(err, path, n, secret)
	default:
		if !setBasic(v, n) {
			d.mismatch(s.describe(), n, path, secret)
		}
	}
}

// refuse adds the problem that a value was not understood.
func (d *decoder) refuse(err error, path string, n *node, secret bool) {
	switch {
	case err == nil:
	case secret:
		d.problems.add(WrongType, path, at(n), "the value is malformed: correct it (why is not shown, since that could tell a secret)")
	default:
		d.problems.add(WrongType, path, at(n), "%s is malformed: %v", n.Show(), err)
	}
}

// setBasic sets a value of a basic kind, and reports whether n is one.
func setBasic(v reflect.Value, n *node) bool {
	matches := func(k document.Kind) bool { return n.Kind == k || n.Kind == document.Text && n.Loose }
	clean, base := n.Text, 10
	if n.Loose {
		base = 0 // 0644, 0o644 and 0x1f are what they are in YAML
		clean = strings.TrimSpace(n.Text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Text)
		return n.Kind == document.Text
	case reflect.Bool:
		value, err := strconv.ParseBool(clean)
		v.SetBool(value)
		return err == nil && matches(document.Boolean)
	case reflect.Float32, reflect.Float64:
		value, err := strconv.ParseFloat(clean, v.Type().Bits())
		v.SetFloat(value)
		return err == nil && value == value && matches(document.Number)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		value, err := strconv.ParseInt(whole(clean), base, v.Type().Bits())
		v.SetInt(value)
		return err == nil && matches(document.Number)
	default:
		value, err := strconv.ParseUint(whole(clean), base, v.Type().Bits())
		v.SetUint(value)
		return err == nil && matches(document.Number)
	}
}

// whole returns a whole number that is written as 10.0, as providers that know
// floats only return it, as 10.
func whole(number string) string { return strings.TrimSuffix(number, ".0") }
