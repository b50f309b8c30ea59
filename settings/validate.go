package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"
)

// brokenRule adds the problem that a rule of a validate tag tells of.
func (s *shape) brokenRule(rule validator.FieldError, r *reader) {
	at := s.resolve(strings.TrimPrefix(rule.StructNamespace(), s.typ.Name()+"."))
	name := rule.Tag()
	if rule.Param() != "" {
		name += "=" + rule.Param()
	}
	switch value := follow(reflect.ValueOf(rule.Value())); {
	case strings.HasPrefix(name, "required"):
		r.invalid(at, "a value is required: set it")
	case at.secret || at.shape.typ == reflect.TypeFor[Secret]() || !value.IsValid():
		r.invalid(at, "it breaks the rule "+name+": correct it")
	default:
		r.invalid(at, fmt.Sprintf("it breaks the rule %s with %s: correct it", name, strconv.Quote(at.shape.render(value, false))))
	}
}

func (r *reader) invalid(at place, message string) {
	origin := Origin{}
	all := r.origins(at.steps)
	whole := at.shape.form == group
	switch {
	case whole && slices.ContainsFunc(all, Origin.isOfOneKey): // it need not be that one
	case len(all) == 1 || len(all) > 1 && len(at.steps) > 0:
		origin = all[0]
	case at.preset:
		origin.Source = "default"
	}
	r.problems.add(Invalid, at.path, origin, "%s", message)
}

// isOfOneKey reports whether the source says one thing only.
func (o Origin) isOfOneKey() bool {
	return strings.HasPrefix(o.Source, "environment ") || strings.HasPrefix(o.Source, "flag -")
}

// resolve finds the place that names of Go lead to, as in HTTP.Limits[login].Max.
func (s *shape) resolve(goPath string) place {
	p := place{root: s, shape: s}
	for goPath != "" {
		if rest, ok := strings.CutPrefix(goPath, "["); ok && p.shape.elem != nil {
			index, rest, _ := strings.Cut(rest, "]")
			if p.shape.form == mapping {
				p = p.below(index, nil, p.shape.elem)
			} else {
				p.path, p.shape = p.path+"["+index+"]", p.shape.elem
			}
			goPath = strings.TrimPrefix(rest, ".")
			continue
		}
		var found *field
		for _, f := range p.shape.keys() {
			rest, ok := strings.CutPrefix(goPath, f.goPath)
			if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && (found == nil || len(f.goPath) > len(found.goPath)) {
				found = f
			}
		}
		if found == nil {
			break
		}
		p = p.below(found.name, found, found.shape)
		goPath = strings.TrimPrefix(goPath[len(found.goPath):], ".")
	}
	return p
}

// below returns the place one step further, which is a field unless that is nil.
func (p place) below(step string, f *field, s *shape) place {
	inList := strings.HasSuffix(p.path, "]")
	p.path, p.shape, p.preset = join(p.path, step), s, f != nil && f.preset != nil
	if !inList {
		p.steps = append(p.steps[:len(p.steps):len(p.steps)], step)
	}
	if f != nil {
		p.secret, p.restart = p.secret || f.secret, p.restart || f.restart
	}
	return p
}

// askValidate calls the Validate methods of what is at a place: of the inner values
// first, which the outer ones may then rely on.
func (s *shape) askValidate(v reflect.Value, at place, r *reader) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch s.form {
	case group:
		for _, f := range s.fields {
			if f.embedded {
				callValidate(v.FieldByIndex(f.index), at, r)
				continue
			}
			f.shape.askValidate(v.FieldByIndex(f.index), at.below(f.name, f, f.shape), r)
		}
	case sequence:
		for i := range v.Len() {
			below := at
			below.path, below.shape = at.path+"["+strconv.Itoa(i)+"]", s.elem
			s.elem.askValidate(v.Index(i), below, r)
		}
	case mapping:
		for entries := v.MapRange(); entries.Next(); {
			entry := reflect.New(v.Type().Elem()).Elem()
			entry.Set(entries.Value())
			s.elem.askValidate(entry, at.below(entries.Key().String(), nil, s.elem), r)
		}
	}
	callValidate(v, at, r)
}

func callValidate(v reflect.Value, at place, r *reader) {
	if !v.CanAddr() || !v.Addr().CanInterface() {
		return
	}
	checked, ok := v.Addr().Interface().(interface{ Validate() error })
	if !ok {
		return
	}
	if err := guard("Validate", checked.Validate); err != nil {
		r.invalid(at, err.Error())
	}
}
