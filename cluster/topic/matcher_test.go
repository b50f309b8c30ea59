package topic

import (
	"slices"
	"strings"
	"testing"
)

func TestAPatternMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"orders", "orders", true},
		{"orders", "orders.eu", false},
		{"orders.eu", "orders", false},
		{"orders.*", "orders.eu", true},
		{"orders.*", "orders", false},
		{"orders.*", "orders.eu.paris", false},
		{"*.eu", "orders.eu", true},
		{"*.eu", "orders.us", false},
		{"*", "orders", true},
		{"*.*", "orders.eu", true},
		{"orders.>", "orders.eu", true},
		{"orders.>", "orders.eu.paris", true},
		{"orders.>", "orders", false},
		{">", "orders", true},
		{">", "orders.eu.paris", true},
		{"*.>", "orders", false},
		{"orders.*.paris", "orders.eu.paris", true},
		{"orders.*.>", "orders.eu", false},
		{"orders.*.>", "orders.eu.paris", true},
		{"orders.*.>", "bills.eu.paris", false},
	} {
		var m matcher[int]
		m.add(c.pattern, 1)
		if got := len(m.match(nil, c.name)) == 1; got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

func TestAMatcherForgetsWhatIsRemoved(t *testing.T) {
	var m matcher[int]
	patterns := []string{"a", "a.b", "a.*", "a.>", ">", "*.b.>", "*"}
	for i, p := range patterns {
		m.add(p, i)
		m.add(p, i+100)
	}
	m.remove("a.b.c", 1)
	m.remove("a.b", 7)
	for i, p := range patterns {
		m.remove(p, i)
		if found := m.match(nil, "a.b"); slices.Contains(found, i) {
			t.Errorf("%s is still found", p)
		}
		m.remove(p, i+100)
	}
	if !m.root.empty() {
		t.Errorf("something is left: %+v", m.root)
	}
}

// matches is the naive way to tell.
func matches(pattern, name string) bool {
	p, n := strings.Split(pattern, "."), strings.Split(name, ".")
	for i, token := range p {
		switch {
		case token == anyTokens:
			return len(n) > i
		case i == len(n), token != anyToken && token != n[i]:
			return false
		}
	}
	return len(p) == len(n)
}

// FuzzMatcher holds the matcher against the naive way. It splits text at newlines into
// patterns, of which it removes some again, and a name.
func FuzzMatcher(f *testing.F) {
	f.Add("a.b\na.*\na.>\n>\n*.b\n*\na.b.c", "a.b", uint64(0))
	f.Add("*.*.*\na.*.c\na.>\n*.>\na.b.c\na.b.c", "a.b.c", uint64(0b100101))
	f.Fuzz(func(t *testing.T, text, name string, removed uint64) {
		if wild, err := checkName(name); wild || err != nil {
			t.Skip()
		}
		var m matcher[int]
		var patterns []string
		for line := range strings.SplitSeq(text, "\n") {
			if _, err := checkName(line); err == nil && len(patterns) < 64 {
				m.add(line, len(patterns))
				patterns = append(patterns, line)
			}
		}
		var want []int
		for i, p := range patterns {
			if removed&(1<<i) != 0 {
				m.remove(p, i)
			} else if matches(p, name) {
				want = append(want, i)
			}
		}
		got := m.match(nil, name)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%q of %q without %b: %v, want %v", name, patterns, removed, got, want)
		}
		for i, p := range patterns {
			m.remove(p, i)
		}
		if !m.root.empty() {
			t.Fatalf("%q: something is left", patterns)
		}
	})
}
