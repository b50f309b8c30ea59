package settings

import (
	"encoding"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// decoder sets values from nodes. It is used on a fresh value for each source in turn,
// which is what merges them.
type decoder struct {
	problems *problems
}

// decode sets v, which must be settable, as n says. The node has been bound to s.
func (d *decoder) decode(v reflect.Value, s *shape, n *node, path string, secret bool) {
	if n.kind == null {
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
		v.Set(reflect.ValueOf(merge(v.Interface(), n.plain())))
	case s.form == group && n.kind == table:
		for name, below := range n.fields {
			if f := s.byFold[fold(name)]; f != nil {
				d.decode(v.FieldByIndex(f.index), f.shape, below, join(path, f.name), secret || f.secret)
			}
		}
	case s.form == mapping && (n.kind == table || n.loose):
		d.mapping(v, s, n, path, secret)
	case s.form == sequence && (n.kind == list || n.loose):
		d.sequence(v, s, n, path, secret)
	default:
		d.mismatch(s.describe(), n, path, secret)
	}
}

func (d *decoder) mapping(v reflect.Value, s *shape, n *node, path string, secret bool) {
	fields := n.fields
	if n.kind == text {
		fields = make(map[string]*node)
		for _, part := range separate(n.text) {
			name, value, found := strings.Cut(part, "=")
			if !found {
				d.mismatch("a map as name=value,name=value", n, path, secret)
				return
			}
			fields[strings.TrimSpace(name)] = &node{kind: text, text: strings.TrimSpace(value), loose: true, at: n.at}
		}
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(fields)))
	}
	for name, below := range fields {
		if below.kind == null {
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
	items := n.items
	if n.kind == text {
		for _, part := range separate(n.text) {
			items = append(items, &node{kind: text, text: part, loose: true, at: n.at})
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
		d.problems.add(WrongType, path, n.at, "%s is wanted here, and this is something else: correct it (it is secret, and not shown)", want)
		return
	}
	d.problems.add(WrongType, path, n.at, "%s is wanted here, and this is %s%s", want, n.show(), remedy(want, n))
}

func remedy(want string, n *node) string {
	switch {
	case strings.HasPrefix(want, "a string") && (n.kind == number || n.kind == boolean):
		return ": put it in quotes"
	case n.kind != text || n.loose:
	case strings.HasPrefix(want, "a boolean") && isBool(n.text), strings.Contains(want, "number") && isNumber(n.text):
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
	if n.kind == list || n.kind == table {
		d.mismatch(s.describe(), n, path, secret)
		return
	}
	secret = secret || s.typ == reflect.TypeFor[Secret]()
	switch into := v.Addr().Interface().(type) {
	case *time.Duration:
		value, err := time.ParseDuration(n.text)
		if err != nil || n.kind == boolean {
			d.mismatch(s.describe(), n, path, secret)
			return
		}
		*into = value
	case *url.URL:
		value, err := url.Parse(n.text)
		if n.kind != text {
			d.mismatch(s.describe(), n, path, secret)
			return
		}
		d.refuse(err, path, n, true) // what is wrong may be near the password
		if err == nil {
			*into = *value
		}
	case encoding.TextUnmarshaler:
		if _, isSize := into.(*Size); n.kind != text && !isSize || n.kind == boolean {
			d.mismatch(s.describe(), n, path, secret)
			return
		}
		err := guard("UnmarshalText", func() error { return into.UnmarshalText([]byte(n.text)) })
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
		d.problems.add(WrongType, path, n.at, "the value is malformed: correct it (why is not shown, since that could tell a secret)")
	default:
		d.problems.add(WrongType, path, n.at, "%s is malformed: %v", n.show(), err)
	}
}

// setBasic sets a value of a basic kind, and reports whether n is one.
func setBasic(v reflect.Value, n *node) bool {
	matches := func(k kind) bool { return n.kind == k || n.kind == text && n.loose }
	clean, base := n.text, 10
	if n.loose {
		base = 0 // 0644, 0o644 and 0x1f are what they are in YAML
		clean = strings.TrimSpace(n.text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.text)
		return n.kind == text
	case reflect.Bool:
		value, err := strconv.ParseBool(clean)
		v.SetBool(value)
		return err == nil && matches(boolean)
	case reflect.Float32, reflect.Float64:
		value, err := strconv.ParseFloat(clean, v.Type().Bits())
		v.SetFloat(value)
		return err == nil && value == value && matches(number)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		value, err := strconv.ParseInt(whole(clean), base, v.Type().Bits())
		v.SetInt(value)
		return err == nil && matches(number)
	default:
		value, err := strconv.ParseUint(whole(clean), base, v.Type().Bits())
		v.SetUint(value)
		return err == nil && matches(number)
	}
}

// whole returns a whole number that is written as 10.0, as providers that know
// floats only return it, as 10.
func whole(number string) string { return strings.TrimSuffix(number, ".0") }
