package config

import (
	"fmt"
	"strings"
)

// splitPath returns the keys of a path such as "http.timeout".
func splitPath(path string) ([]string, error) {
	keys := strings.Split(path, ".")
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("path %q: %w", path, err)
		}
	}
	return keys, nil
}

// put sets the value at a path, and makes the maps on the way to it.
func put(values map[string]any, path []string, value any) error {
	for i, key := range path[:len(path)-1] {
		switch inner := values[key].(type) {
		case map[string]any:
			values = inner
		case nil:
			made := make(map[string]any)
			values[key], values = made, made
		default:
			return fmt.Errorf("%q is a value, not a map of keys: delete it first, or use another path than %q", strings.Join(path[:i+1], "."), strings.Join(path, "."))
		}
	}
	values[path[len(path)-1]] = value
	return nil
}

// remove deletes the value at a path, and reports whether there was one.
func remove(values map[string]any, path []string) bool {
	for _, key := range path[:len(path)-1] {
		values, _ = values[key].(map[string]any)
	}
	last := path[len(path)-1]
	_, found := values[last]
	delete(values, last)
	return found
}
