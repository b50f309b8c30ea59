package settings

import (
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// snake returns the canonical form of a field's name: HTTPTimeout is http_timeout.
func snake(name string) string {
	var out strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		startsWord := unicode.IsUpper(r) && i > 0 && runes[i-1] != '_' &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		switch {
		case r == '-':
			r = '_'
		case startsWord:
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// fold returns what all spellings of a key have in common.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// foldPath is fold for a whole path, whose dots do not count either.
func foldPath(path string) string { return strings.ReplaceAll(fold(path), ".", "") }

// envName returns the variable of a key, without the prefix.
func envName(path string) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

// join appends a segment to a path, in quotes if it would not be read as one.
func join(path, segment string) string {
	if segment == "" || strings.ContainsAny(segment, `."`) {
		segment = `"` + strings.ReplaceAll(segment, `"`, `""`) + `"`
	}
	if path == "" {
		return segment
	}
	return path + "." + segment
}

// split takes a path apart. It reports whether that is well formed.
func split(path string) (segments []string, ok bool) {
	for path != "" || len(segments) > 0 {
		var segment string
		if rest, quoted := strings.CutPrefix(path, `"`); quoted {
			for {
				part, after, closed := strings.Cut(rest, `"`)
				segment += part
				if !closed {
					return nil, false
				}
				if rest = after; !strings.HasPrefix(rest, `"`) {
					break
				}
				segment, rest = segment+`"`, rest[1:]
			}
			path = rest
		} else {
			end := strings.IndexByte(path, '.')
			if end < 0 {
				end = len(path)
			}
			if end == 0 {
				return nil, false
			}
			segment, path = path[:end], path[end:]
		}
		segments = append(segments, segment)
		if path == "" {
			return segments, true
		}
		if path[0] != '.' {
			return nil, false
		}
		path = path[1:]
	}
	return nil, true
}

// maxGuessed bounds the work of guessing what was meant.
const maxGuessed = 64

// nearest returns the name of known that key was probably meant to be. It reports
// whether one is near.
func nearest(key string, known []string) (string, bool) {
	if len(key) > maxGuessed || len(known) == 0 {
		return "", false
	}
	distance := func(name string) int { return levenshtein.ComputeDistance(foldPath(key), foldPath(name)) }
	best := slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
	return best, distance(best) <= 1+len(foldPath(key))/4
}

// hint says what key was probably meant to be, or else what there is.
func hint(key string, known []string) string {
	const shown = 8
	best, near := nearest(key, known)
	switch {
	case near:
		return "did you mean " + best + "?"
	case len(known) == 0:
		return "there are no keys here"
	case len(known) > shown:
		return "there are " + strings.Join(known[:shown], ", ") + " and others"
	}
	return "there are " + strings.Join(known, ", ")
}
