package topic

import (
	"slices"
	"strings"
)

// matcher finds what was added under the patterns that a name matches. It is a tree of
// tokens. It belongs to one goroutine at a time.
type matcher[V comparable] struct{ root level[V] }

// level is what patterns have in common up to one token.
type level[V comparable] struct {
	here  []V // of patterns that end with that token
	below []V // of patterns that go on with >
	named map[string]*level[V]
	any   *level[V] // of patterns that go on with *
}

func (m *matcher[V]) add(pattern string, v V) {
	l := &m.root
	for rest, more := pattern, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		if token == anyTokens {
			l.below = append(l.below, v)
			return
		}
		l = l.descend(token)
	}
	l.here = append(l.here, v)
}

func (l *level[V]) descend(token string) *level[V] {
	next := l.next(token)
	switch {
	case next != nil:
		return next
	case token == anyToken:
		l.any = new(level[V])
		return l.any
	case l.named == nil:
		l.named = make(map[string]*level[V])
	}
	next = new(level[V])
	l.named[token] = next
	return next
}

// next returns the level that patterns with that token lead to, nil if there is none.
func (l *level[V]) next(token string) *level[V] {
	if token == anyToken {
		return l.any
	}
	return l.named[token]
}

// remove takes back one value that was added under the pattern.
func (m *matcher[V]) remove(pattern string, v V) { m.root.remove(pattern, true, v) }

// remove takes v back from what follows this level, and drops the levels that are
// empty then.
func (l *level[V]) remove(rest string, more bool, v V) {
	if !more {
		l.here = without(l.here, v)
		return
	}
	token, rest, more := strings.Cut(rest, ".")
	if token == anyTokens {
		l.below = without(l.below, v)
		return
	}
	next := l.next(token)
	if next == nil {
		return
	}
	next.remove(rest, more, v)
	switch {
	case !next.empty():
	case token == anyToken:
		l.any = nil
	default:
		delete(l.named, token)
	}
}

func without[V comparable](values []V, v V) []V {
	if i := slices.Index(values, v); i >= 0 {
		return slices.Delete(values, i, i+1)
	}
	return values
}

func (l *level[V]) empty() bool {
	return len(l.here) == 0 && len(l.below) == 0 && len(l.named) == 0 && l.any == nil
}

// match appends to found what was added under the patterns that name matches.
func (m *matcher[V]) match(found []V, name string) []V { return m.root.match(found, name) }

func (l *level[V]) match(found []V, rest string) []V {
	found = append(found, l.below...)
	token, rest, more := strings.Cut(rest, ".")
	for _, next := range [...]*level[V]{l.named[token], l.any} {
		switch {
		case next == nil:
		case more:
			found = next.match(found, rest)
		default:
			found = append(found, next.here...)
		}
	}
	return found
}
