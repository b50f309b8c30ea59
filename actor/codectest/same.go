package codectest

import (
	"encoding"
	"encoding/base64"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// same reports whether b, which was decoded, has the value of a, as [Run] describes it.
func same(a, b reflect.Value) bool {
	a, b = held(a), held(b)
	switch {
	case isNothing(a) || isZeroOwn(a) && (isNothing(b) || isZeroOwn(b)):
		return isNothing(b) || isZeroOwn(b)
	case isNothing(b):
		return false
	}
	if timeA, ok := a.Interface().(time.Time); ok {
		if timeB, ok := b.Interface().(time.Time); ok {
			return timeA.Equal(timeB)
		}
	}
	if isText(a) || isText(b) {
		return slices.ContainsFunc(texts(a), func(text string) bool { return slices.Contains(texts(b), text) })
	}
	switch {
	case a.Kind() == reflect.Bool && b.Kind() == reflect.Bool:
		return a.Bool() == b.Bool()
	case isNumber(a) && isNumber(b):
		return exact(a).Cmp(exact(b)) == 0 || written(a).Cmp(written(b)) == 0
	case isList(a) && isList(b):
		return sameList(a, b)
	case isEntries(a) && isEntries(b):
		return sameEntries(a, b)
	}
	return false
}

// held returns what an interface holds and a pointer points to; the zero Value if nothing.
func held(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

func isNothing(v reflect.Value) bool {
	return !v.IsValid() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil()
}

func isOwn(v reflect.Value) bool {
	_, isText := v.Interface().(encoding.TextMarshaler)
	_, isBinary := v.Interface().(encoding.BinaryMarshaler)
	return isText || isBinary
}

func isZeroOwn(v reflect.Value) bool { return v.IsValid() && isOwn(v) && v.IsZero() }

// isText reports whether v may only be compared by its texts.
func isText(v reflect.Value) bool { return v.Kind() == reflect.String || isOwn(v) }

// texts returns what v is written as: a text, or bytes.
func texts(v reflect.Value) (all []string) {
	switch {
	case isOwn(v):
		if m, ok := v.Interface().(encoding.TextMarshaler); ok {
			if text, err := m.MarshalText(); err == nil {
				all = append(all, "text "+string(text))
			}
		}
		if m, ok := v.Interface().(encoding.BinaryMarshaler); ok {
			if data, err := m.MarshalBinary(); err == nil {
				all = append(all, "bytes "+string(data))
			}
		}
	case v.Kind() == reflect.String:
		return []string{"text " + v.String()}
	case isList(v) && v.Type().Elem().Kind() == reflect.Uint8:
		data := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(data), v)
		return []string{"text " + base64.StdEncoding.EncodeToString(data), "bytes " + string(data)}
	}
	return all
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// exact returns the number that v is.
func exact(v reflect.Value) *big.Rat {
	switch {
	case v.CanInt():
		return new(big.Rat).SetInt64(v.Int())
	case v.CanUint():
		return new(big.Rat).SetUint64(v.Uint())
	}
	return new(big.Rat).SetFloat64(v.Float())
}

// written returns the number that the shortest text of v says.
func written(v reflect.Value) *big.Rat {
	if !v.CanFloat() {
		return exact(v)
	}
	n, _ := new(big.Rat).SetString(strconv.FormatFloat(v.Float(), 'e', -1, v.Type().Bits()))
	return n
}

func isList(v reflect.Value) bool { return v.Kind() == reflect.Slice || v.Kind() == reflect.Array }

func sameList(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !same(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

func isEntries(v reflect.Value) bool { return v.Kind() == reflect.Map || v.Kind() == reflect.Struct }

// entries returns the values of a map, or of the fields of a struct.
func entries(v reflect.Value) map[string]reflect.Value {
	all := make(map[string]reflect.Value)
	if v.Kind() == reflect.Struct {
		for f, value := range v.Fields() {
			all[f.Name] = value
		}
		return all
	}
	for key, value := range v.Seq2() {
		all[fmt.Sprint(key)] = value
	}
	return all
}

func sameEntries(a, b reflect.Value) bool {
	in, out := entries(a), entries(b)
	for name, value := range out {
		was, there := in[name]
		if there && !same(was, value) || !there && (b.Kind() == reflect.Map || !value.IsZero()) {
			return false
		}
	}
	return b.Kind() == reflect.Struct || len(in) == len(out)
}
