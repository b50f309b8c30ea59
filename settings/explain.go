package settings

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Explanation tells where a value comes from.
type Explanation struct {
	// Key is the canonical path.
	Key string
	// Value is the value as text. A secret is "REDACTED".
	Value string
	// From is where it was given. It is empty if it was not. Of a map, whose entries
	// may come from several sources, it is the last of these.
	From Origin
	// Over is where it was given as well, without effect, the strongest first. The
	// default of a field is the last.
	Over []Origin
}

// String returns one line, such as "http.timeout = 5s from shop.yaml:3, over default".
func (e Explanation) String() string {
	line := e.Key + " = " + e.Value
	if e.From == (Origin{}) {
		return line + ", which no source gives"
	}
	line += " from " + e.From.String()
	for i, over := range e.Over {
		if i == 0 {
			line += ", over "
		} else {
			line += ", "
		}
		line += over.String()
	}
	return line
}

// Explain tells where the current value of a key comes from. The key is the path of a
// field or of an entry of a map, but not of a struct with keys of its own. The error has
// the code [UnknownKey]. The caller owns what it returns.
func (l *Live[T]) Explain(key string) (Explanation, error) {
	p, err := l.schema.find(key)
	if err != nil {
		return Explanation{}, err
	}
	if p.shape.form == group {
		return Explanation{}, failure(UnknownKey, key, "this is a group: ask for one of its keys: %s", strings.Join(p.shape.names(), ", "))
	}
	now := l.current.Load()
	all := now.read.origins(p.steps)
	if p.preset {
		all = append(all, Origin{Source: "default"})
	}
	e := Explanation{Key: p.path, Value: p.shape.render(p.value(now.value), p.secret)}
	if len(all) > 0 {
		e.From, e.Over = all[0], all[1:]
	}
	return e, nil
}

// render returns a value, which is not a pointer, as people read it.
func (s *shape) render(v reflect.Value, secret bool) string {
	if secret || s.typ == reflect.TypeFor[Secret]() {
		return redacted
	}
	if !v.IsValid() {
		return ""
	}
	var parts []string
	switch s.form {
	case leaf:
		if address, ok := v.Interface().(url.URL); ok {
			return address.Redacted()
		}
		if v.Kind() == reflect.String {
			return v.String()
		}
		if !v.CanAddr() { // String may want a pointer
			copied := reflect.New(v.Type()).Elem()
			copied.Set(v)
			v = copied
		}
		if printable, ok := v.Addr().Interface().(fmt.Stringer); ok {
			return printable.String()
		}
		return fmt.Sprint(v.Interface())
	case sequence:
		for i := range v.Len() {
			parts = append(parts, s.elem.renderInside(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, key := range keys {
			parts = append(parts, join("", key.String())+": "+s.elem.renderInside(v.MapIndex(key)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case group:
		for _, f := range s.keys() {
			inside := redacted
			if !f.secret {
				inside = f.shape.renderInside(v.FieldByIndex(f.index))
			}
			parts = append(parts, f.name+": "+inside)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v.Interface())
}

// renderInside renders a part of a larger value.
func (s *shape) renderInside(v reflect.Value) string {
	rendered := s.render(follow(v), false)
	if s.form == leaf && s.typ.Kind() == reflect.String {
		return strconv.Quote(rendered)
	}
	return rendered
}
