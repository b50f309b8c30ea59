package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// marshal encodes normal values, such that unmarshal returns exactly them.
func marshal(values map[string]any) ([]byte, error) {
	data, err := json.Marshal(withNumbers(values))
	if err == nil && len(data) > MaxSize {
		err = errTooLarge()
	}
	return data, err
}

// withNumbers copies v and marks what is not a whole number as such: JSON would write
// 2.0 as 2.
func withNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, value := range v {
			c[key] = withNumbers(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = withNumbers(v[i])
		}
		return c
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return json.Number(s)
	}
	return v
}

// unmarshal decodes one JSON object, and returns normal values.
func unmarshal(data []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("line %d: %w", lineAt(data, e.Offset), err)
		}
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("line %d: something follows the JSON object", lineAt(data, d.InputOffset()))
	}
	if values == nil {
		return nil, errors.New("null is not a JSON object")
	}
	return normalize(values)
}

// lineAt returns the line, from 1, of a byte.
func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(max(offset, 0), int64(len(data)))], []byte("\n"))
}
