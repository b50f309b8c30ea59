package settings

import "reflect"

// Changed returns the keys of the fields that differ between two settings, in the order
// of the struct. Maps and slices count as one, and so does a struct that is only in one
// of them. The caller owns the result.
func (l *Live[T]) Changed(old, new *T) []string {
	return l.schema.changed(old, new, func(place) bool { return true })
}

// changed compares two pointers to the struct of s.
func (s *shape) changed(old, new any, wanted func(place) bool) []string {
	var keys []string
	s.compare(reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem(), place{}, func(p place) {
		if wanted(p) {
			keys = append(keys, p.path)
		}
	})
	return keys
}

// compare visits the fields that differ.
func (s *shape) compare(old, new reflect.Value, at place, differs func(place)) {
	for _, f := range s.keys() {
		below := place{path: join(at.path, f.name), restart: at.restart || f.restart}
		a, b := old.FieldByIndex(f.index), new.FieldByIndex(f.index)
		if f.shape.form == group {
			a, b = follow(a), follow(b)
			if a.IsValid() && b.IsValid() {
				f.shape.compare(a, b, below, differs)
				continue
			}
			if a.IsValid() == b.IsValid() {
				continue
			}
			differs(below)
			continue
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			differs(below)
		}
	}
}

// follow returns what a pointer leads to, the zero Value for nil.
func follow(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

// equal reports whether two settings have the same at the place.
func (p place) equal(old, new any) bool {
	a, b := p.value(old), p.value(new)
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if p.shape.form == group {
		same := true
		p.shape.compare(a, b, place{}, func(place) { same = false })
		return same
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
