//go:build unix

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// figure is a promise, or several that are measured together.
type figure struct {
	name, about string
	rounds      [2]int // how often base and head take turns; the second if it has to be short
	measure     func(ctx context.Context, s *series, b *build) error
}

func figures() []figure {
	return []figure{
		{"restart", "what fails while nodes restart one after the other", [2]int{3, 1}, restarts},
		{"minority", "how long a write takes to fail where there is no majority", [2]int{2, 1}, minority},
		{"disk", "what rewriting some keys takes of the disk", [2]int{1, 1}, disk},
		{"open", "opening a store after a crash", [2]int{3, 1}, opening},
		{"turn", "stopping all voters in turn, and starting them in any order", [2]int{1, 1}, turn},
		{"crash", "when a crash is noticed, and who is suspected without one", [2]int{2, 1}, crash},
		{"drill", "what fails under faults", [2]int{1, 1}, drill},
		{"hang", "a leader whose disk hangs", [2]int{2, 1}, hang},
	}
}

// series gathers what is measured at both commits, in the order in which it first came.
type series struct {
	short  bool
	dir    string // for the files of nodes
	round  int
	column int // 0 is base, 1 is head
	rows   []*row
}

// pick returns the first, or the second if it has to be short.
func (s *series) pick(long, short int) int {
	if s.short {
		return short
	}
	return long
}

// row is one line of the table.
type row struct {
	name    string
	unit    string
	wanted  wanted
	reduce  func([]float64) float64
	samples [2][]float64
	remarks [2][]string
}

// wanted is what head must reach: a limit on its own figure, or on its ratio to base if
// that was measured, or nothing.
type wanted struct {
	text string
	met  func(base, head float64) bool
}

func atMost(limit float64) wanted {
	return wanted{fmt.Sprint("<= ", limit), func(_, head float64) bool { return head <= limit }}
}

func below(limit float64) wanted {
	return wanted{fmt.Sprint("< ", limit), func(_, head float64) bool { return head < limit }}
}

func atLeast(limit float64) wanted {
	return wanted{fmt.Sprint(">= ", limit), func(_, head float64) bool { return head >= limit }}
}

func atLeastOfBase(share float64) wanted {
	return wanted{fmt.Sprint("ratio >= ", share), func(base, head float64) bool { return math.IsNaN(base) || head >= share*base }}
}

func noMoreThanBase() wanted {
	return wanted{"<= base", func(base, head float64) bool { return math.IsNaN(base) || head <= base }}
}

// row returns the row of that name, a new one if there is none. Its figure is what
// reduce makes of all samples.
func (s *series) row(name, unit string, reduce func([]float64) float64, w wanted) *row {
	for _, r := range s.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name, unit: unit, wanted: w, reduce: reduce}
	s.rows = append(s.rows, r)
	return r
}

// add adds samples of the commit that is measured now.
func (s *series) add(r *row, samples ...float64) {
	r.samples[s.column] = append(r.samples[s.column], samples...)
}

// remark says below the row what the figure is made of.
func (s *series) remark(r *row, format string, args ...any) {
	r.remarks[s.column] = append(r.remarks[s.column], fmt.Sprintf(format, args...))
}

func sum(samples []float64) (total float64) {
	for _, x := range samples {
		total += x
	}
	return total
}

func longest(samples []float64) float64 { return slices.Max(samples) }

func least(samples []float64) float64 { return slices.Min(samples) }

func median(samples []float64) float64 { return slices.Sorted(slices.Values(samples))[len(samples)/2] }

// table prints rows as they come.
type table struct {
	out    io.Writer
	missed int
}

func newTable(out io.Writer) *table {
	fmt.Fprintf(out, "\n%-58s %12s %12s %8s  %s\n", "figure", "base", "head", "ratio", "wanted")
	return &table{out: out}
}

func (t *table) add(f figure, s *series, took time.Duration) {
	fmt.Fprintf(t.out, "\n%s: %s (%v)\n", f.name, f.about, took.Round(time.Second))
	if len(s.rows) == 0 {
		fmt.Fprintln(t.out, "  SKIPPED, NOT MEASURED HERE")
	}
	for _, r := range s.rows {
		value := [2]float64{math.NaN(), math.NaN()}
		for i, samples := range r.samples {
			if len(samples) > 0 {
				value[i] = r.reduce(samples)
			}
		}
		ratio := ""
		if value[0] > 0 && !math.IsNaN(value[1]) {
			ratio = fmt.Sprintf("%.2f", value[1]/value[0])
		}
		missed := ""
		if r.wanted.met != nil && !r.wanted.met(value[0], value[1]) {
			missed = "  MISSED"
			t.missed++
		}
		fmt.Fprintf(t.out, "  %-56s %12s %12s %8s  %s%s\n", r.name, show(value[0], r.unit), show(value[1], r.unit), ratio, r.wanted.text, missed)
		for i, remarks := range r.remarks {
			for _, text := range remarks {
				fmt.Fprintf(t.out, "      %s: %s\n", [2]string{"base", "head"}[i], text)
			}
		}
	}
}

func show(value float64, unit string) string {
	if math.IsNaN(value) {
		return "-"
	}
	decimals := 0
	if value != math.Trunc(value) {
		decimals = 3
		if math.Abs(value) >= 100 {
			decimals = 0
		} else if math.Abs(value) >= 1 {
			decimals = 2
		}
	}
	return fmt.Sprintf("%.*f%s", decimals, value, cmp.Or(unit, ""))
}
