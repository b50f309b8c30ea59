//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOnlyWhatLiesInASpanCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "operations")
	lines := []string{
		`put 10 20 ok ""`,
		`put 30 40 unavailable "nobody leads"`,
		`put 95 110 unavailable "it left meanwhile"`,
		`put 120 130 unavailable "it was away"`,
		`get 210 220 deadline exceeded "a \"quoted\" reason"`,
		`put 230 2`, // killed while it wrote
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &record{file: file, spans: []span{{5, 100}, {200, 300}}}
	tallies := map[string]*tally{}
	if err := r.read(tallies); err != nil {
		t.Fatal(err)
	}
	if got, want := tallies["put"].describe(), "1 of 2: 1 unavailable; such as: nobody leads"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := tallies["get"].describe(), `1 of 1: 1 deadline exceeded; such as: a "quoted" reason`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheTableMarksWhatIsMissed(t *testing.T) {
	var out strings.Builder
	table := newTable(&out)
	s := &series{}
	s.add(s.row("seconds", "s", longest, atMost(2)), 1, 3)
	s.column = 1
	s.add(s.row("seconds", "s", longest, atMost(2)), 1, 2.5)
	s.add(s.row("rate", "/s", median, atLeastOfBase(0.9)), 5)
	s.rows[1].samples[0] = []float64{5}
	s.row("never measured", "", sum, atMost(0))
	table.add(figure{name: "x"}, s, time.Second)
	text := out.String()
	if table.missed != 2 || strings.Count(text, "MISSED") != 2 || !strings.Contains(text, "0.83") {
		t.Errorf("%d are missed in\n%s", table.missed, text)
	}
}
