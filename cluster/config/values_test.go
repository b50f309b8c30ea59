package config

import (
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// everything has a value of every type, and of every kind of number.
func everything() map[string]any {
	return map[string]any{
		"null": nil, "yes": true, "no": false, "text": "<ä> & \u2028\x00", "empty": "",
		"whole": int64(2), "negative": int64(math.MinInt64), "large": int64(math.MaxInt64), "huge": uint64(math.MaxUint64),
		"two": 2.0, "zero": math.Copysign(0, -1), "tiny": math.SmallestNonzeroFloat64, "vast": math.MaxFloat64, "round": 1e21, "tenth": 0.1,
		"list": []any{int64(1), 1.0, "1", nil, []any{}, map[string]any{"x": true}},
		"map":  map[string]any{"inner": map[string]any{}, "k e/y": "v"},
	}
}

func TestValuesComeBackExactly(t *testing.T) {
	data, err := marshal(everything())
	must(t, err)
	if got, err := unmarshal(data); err != nil || !reflect.DeepEqual(got, everything()) {
		t.Errorf("%v, %v, want %v", got, err, everything())
	}
	if got, err := normalize(everything()); err != nil || !reflect.DeepEqual(got, everything()) {
		t.Errorf("%v, %v, want %v", got, err, everything())
	}
	if got := cloneMap(everything()); !reflect.DeepEqual(got, everything()) {
		t.Errorf("a copy is %v", got)
	}
}

func TestValuesOfOtherTypesBecomeThoseOfADocument(t *testing.T) {
	type name string
	given := map[string]any{
		"int": 1, "uint8": uint8(2), "uint": uint(3), "float32": float32(0.5), "number": json.Number("4"), "point": json.Number("4.0"),
		"name": name("n"), "duration": 90 * time.Second, "address": netip.MustParseAddr("10.0.0.1"),
		"texts": []string{"a"}, "array": [2]int{1, 2}, "names": map[name][]name{"k": {"v"}}, "nothing": map[string]any(nil), "none": []int(nil),
	}
	want := map[string]any{
		"int": int64(1), "uint8": int64(2), "uint": int64(3), "float32": 0.5, "number": int64(4), "point": 4.0,
		"name": "n", "duration": "1m30s", "address": "10.0.0.1",
		"texts": []any{"a"}, "array": []any{int64(1), int64(2)}, "names": map[string]any{"k": []any{"v"}}, "nothing": map[string]any{}, "none": []any{},
	}
	if got, err := normalize(given); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v, want %#v", got, err, want)
	}
}

// nested returns a document with that many levels.
func nested(levels int) map[string]any {
	m := map[string]any{"leaf": 1}
	for range levels - 1 {
		m = map[string]any{"k": m}
	}
	return m
}

func TestWhatCannotBeADocumentIsRefusedByKey(t *testing.T) {
	loop, list := map[string]any{}, make([]any, 2)
	loop["self"] = loop
	list[0], list[1] = list, list
	for what, c := range map[string]struct {
		values map[string]any
		says   string
	}{
		"an empty key":       {map[string]any{"a": map[string]any{"": 1}}, `"a."`},
		"a dot":              {map[string]any{"a.b": 1}, `"a.b"`},
		"a key not UTF-8":    {map[string]any{"\xff": 1}, "UTF-8"},
		"text not UTF-8":     {map[string]any{"a": []any{"\xff"}}, `"a.0"`},
		"not a number":       {map[string]any{"a": math.NaN()}, `"a"`},
		"infinity":           {map[string]any{"a": float32(math.Inf(-1))}, `"a"`},
		"a number too large": {map[string]any{"a": json.Number("18446744073709551616")}, "out of range"},
		"a float too large":  {map[string]any{"a": json.Number("1e999")}, "out of range"},
		"no number":          {map[string]any{"a": json.Number("x")}, "malformed"},
		"bytes":              {map[string]any{"a": []byte("x")}, "[]uint8"},
		"a struct":           {map[string]any{"a": struct{}{}}, "struct {}"},
		"a pointer":          {map[string]any{"a": new(int)}, "*int"},
		"keys of numbers":    {map[string]any{"a": map[int]any{1: 1}}, "map[int]"},
		"a loop":             {loop, "levels"},
		"a loop of lists":    {map[string]any{"a": list}, "levels"},
		"too many levels":    {nested(MaxDepth + 1), "levels"},
		"too many values":    {map[string]any{"a": make([]any, MaxSize)}, "256 KiB"},
	} {
		if _, err := normalize(c.values); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something with %s", what, err, c.says)
		}
	}
	if _, err := normalize(nested(MaxDepth)); err != nil {
		t.Error(err)
	}
	if _, err := marshal(map[string]any{"a": strings.Repeat("x", MaxSize)}); err == nil {
		t.Error("what is too large was encoded")
	}
}

func TestMalformedJSONIsRefusedByLine(t *testing.T) {
	for text, says := range map[string]string{
		"":                      "EOF",
		"null":                  "null",
		"[]":                    "array",
		"{\n\n\"a\": x}":        "line 3",
		"{\"a\": 1}\n{}":        "line 2",
		`{"a": {"b": 1e999}}`:   `"a.b"`,
		`{"a": 1, "b.c": null}`: `"b.c"`,
	} {
		if v, err := unmarshal([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %v, %v, want an error with %s", text, v, err, says)
		}
	}
}

func TestPathsPutAndRemoveOneValue(t *testing.T) {
	values := map[string]any{"a": map[string]any{"b": int64(1)}, "null": nil, "text": "x"}
	for _, path := range []string{"a.c", "d.e.f", "null.x", "g"} {
		keys, err := splitPath(path)
		must(t, err)
		must(t, put(values, keys, path))
	}
	want := map[string]any{
		"a": map[string]any{"b": int64(1), "c": "a.c"}, "d": map[string]any{"e": map[string]any{"f": "d.e.f"}},
		"null": map[string]any{"x": "null.x"}, "g": "g", "text": "x",
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("%v, want %v", values, want)
	}
	if err := put(values, []string{"a", "b", "c"}, 1); err == nil || !strings.Contains(err.Error(), `"a.b"`) {
		t.Errorf("through a number: %v", err)
	}
	for path, was := range map[string]bool{"a.b": true, "a.b.c": false, "x.y.z": false, "text.x": false, "d": true} {
		keys, err := splitPath(path)
		must(t, err)
		if remove(values, keys) != was {
			t.Errorf("%s was there: %v", path, !was)
		}
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b", "\xff"} {
		if _, err := splitPath(path); err == nil {
			t.Errorf("%q is a path", path)
		}
	}
}

func FuzzRecord(f *testing.F) {
	good, err := Version{Time: time.Unix(1, 2).UTC(), Author: "a", Note: "n", Values: everything()}.encode()
	must(f, err)
	for _, seed := range []string{
		string(good), "", "null", "{}", `{"values":null}`, `{"values":{}}`, `{"values":{"a.b":1}}`, `{"values":{"a":-0}}`,
		`{"values":{"a":18446744073709551615,"b":1E2,"c":[[[]]]}}`, `{"time":1}`, `{"values":[]}`, `{"values":{"a":1e-400}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := decodeVersion(data)
		if err != nil {
			return
		}
		again, err := v.encode()
		if err != nil && strings.Contains(err.Error(), "KiB") {
			return // it has become longer
		}
		must(t, err)
		w, err := decodeVersion(again)
		must(t, err)
		if !w.Time.Equal(v.Time) {
			t.Errorf("%v became %v", v.Time, w.Time)
		}
		w.Time = v.Time
		if !reflect.DeepEqual(v, w) {
			t.Errorf("%+v came back as %+v", v, w)
		}
	})
}

func FuzzKey(f *testing.F) {
	h := history{document: "d"}
	for _, seed := range []string{"d/0000000000000001", "d/", "", "d/1", "d/0000000000000000", "d/ffffffffffffffff", "d/00000000000000FF", "e/0000000000000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if n, err := h.number(key); err == nil && (n == 0 || h.key(n) != key) {
			t.Errorf("%q is number %d", key, n)
		}
	})
}
