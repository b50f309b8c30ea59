package config

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of a document: the bytes of its values as JSON, and how deep maps and lists
// may lie in each other, the document itself included.
const (
	MaxSize  = 256 << 10
	MaxDepth = 32
)

// normalize returns a copy of values that has the types of a document only, or an error
// that names the key which does not fit.
func normalize(values map[string]any) (map[string]any, error) {
	n := normalizer{left: MaxSize} // each value takes a byte at least
	v, err := n.value(reflect.ValueOf(values), nil)
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

// normalizer walks through a tree, which may turn out to have loops.
type normalizer struct{ left int }

func (n *normalizer) value(v reflect.Value, path []string) (any, error) {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	n.left--
	switch {
	case n.left < 0:
		return nil, errTooLarge()
	case !v.IsValid():
		return nil, nil
	}
	normal, err := n.scalar(v)
	if errors.Is(err, errComposite) {
		switch {
		case len(path) >= MaxDepth:
			return nil, fmt.Errorf("it has more than %d levels: make it flatter", MaxDepth)
		case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
			return n.group(v, path)
		case (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Type().Elem().Kind() != reflect.Uint8:
			return n.list(v, path)
		}
		err = fmt.Errorf("a %s is no value of a setting: use text, a number, a list or a map", v.Type())
	}
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", strings.Join(path, "."), err)
	}
	return normal, nil
}

func (n *normalizer) group(v reflect.Value, path []string) (any, error) {
	normal := make(map[string]any, v.Len())
	for entries := v.MapRange(); entries.Next(); {
		key := entries.Key().String()
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("key %q: %w", strings.Join(append(path, key), "."), err)
		}
		value, err := n.value(entries.Value(), append(path, key))
		if err != nil {
			return nil, err
		}
		normal[key] = value
	}
	return normal, nil
}

func (n *normalizer) list(v reflect.Value, path []string) (any, error) {
	normal := make([]any, v.Len())
	for i := range normal {
		value, err := n.value(v.Index(i), append(path, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		normal[i] = value
	}
	return normal, nil
}

// errComposite says that a value is not a scalar.
var errComposite = errors.New("not a scalar")

func (n *normalizer) scalar(v reflect.Value) (any, error) {
	switch special := v.Interface().(type) {
	case json.Number:
		return number(special.String())
	case time.Duration:
		return special.String(), nil
	case encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer {
			break // it may be nil
		}
		b, err := special.MarshalText()
		if err != nil {
			return nil, err
		}
		return text(string(b))
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.String:
		return text(v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := v.Uint(); u > math.MaxInt64 {
			return u, nil
		}
		return int64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is no number: leave it out, or use text", f)
		}
		return v.Float(), nil
	}
	return nil, errComposite
}

func text(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("the text is not UTF-8: encode bytes as base64")
	}
	return s, nil
}

// number tells whole numbers from others by how they are written.
func number(s string) (any, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, fmt.Errorf("the number %.40s is out of range or malformed: use text for it", s)
		}
		return f, nil
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return u, nil
	}
	return nil, fmt.Errorf("the number %.40s is out of range or malformed: use text for it", s)
}

// checkKey checks one key of a path.
func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("a key is empty: give it a name")
	case strings.Contains(key, "."):
		return errors.New("a dot divides keys: use maps in each other, or another character")
	case !utf8.ValidString(key):
		return errors.New("a key is not UTF-8: use text")
	}
	return nil
}

func errTooLarge() error {
	return fmt.Errorf("it is larger than %d KiB: divide it into several documents", MaxSize>>10)
}

// clone copies normal values, maps and lists included.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneMap(v)
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = clone(v[i])
		}
		return c
	}
	return v
}

func cloneMap(m map[string]any) map[string]any {
	c := make(map[string]any, len(m))
	for key, value := range m {
		c[key] = clone(value)
	}
	return c
}
