package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report prints what happens, for a person.
type report struct {
	out     io.Writer
	colour  bool
	broken  int // claims of the step under way that do not hold
	title   string
	results []result
}

type result struct {
	title, verdict, measured string
}

const (
	held    = "held"
	failed  = "FAILED"
	skipped = "not run"
)

func (r *report) say(format string, args ...any) {
	fmt.Fprintf(r.out, format+"\n", args...)
}

// begin begins a step.
func (r *report) begin(number int, title string) {
	r.broken, r.title = 0, title
	r.say("\n%s", r.paint(bold, fmt.Sprintf("%d. %s", number, title)))
}

// note prints a line within a step.
func (r *report) note(format string, args ...any) { r.say("   "+format, args...) }

// claim prints whether something holds that must.
func (r *report) claim(holds bool, format string, args ...any) {
	mark := r.paint(green, "ok  ")
	if !holds {
		r.broken++
		mark = r.paint(red, "FAIL")
	}
	r.say("   %s  %s", mark, fmt.Sprintf(format, args...))
}

// finish ends a step; err says why it could not go on.
func (r *report) finish(measured string, err error) {
	if err != nil {
		r.claim(false, "%v", err)
	}
	verdict := held
	if r.broken > 0 {
		verdict = failed
	}
	r.results = append(r.results, result{r.title, verdict, measured})
}

// skip notes a step that was not taken.
func (r *report) skip(title string) {
	r.results = append(r.results, result{title: title, verdict: skipped})
}

// summary prints a table of all steps and returns how many did not hold.
func (r *report) summary() (broken int) {
	r.say("")
	// tabwriter counts the bytes of colours too, which are as many in each row.
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for i, s := range r.results {
		colour := green
		if s.verdict != held {
			broken++
			colour = red
		}
		fmt.Fprintf(table, "%d. %s\t%s\t%s\n", i+1, s.title, r.paint(colour, s.verdict), s.measured)
	}
	_ = table.Flush()
	return broken
}

// bars draws how many calls each node has answered.
func (r *report) bars(answers map[string]int) {
	const width = 40
	most := 1
	for _, n := range answers {
		most = max(most, n)
	}
	for _, node := range slices.Sorted(maps.Keys(answers)) {
		n := answers[node]
		r.note("%-6s %9s  %s", node, count(n), strings.Repeat("#", (n*width+most-1)/most))
	}
}

// The colours, as ANSI escape codes of equal length.
const (
	bold  = "01"
	red   = "31"
	green = "32"
)

func (r *report) paint(colour, text string) string {
	if !r.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// count writes a number with a comma at each thousand.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// brief writes a duration with about three digits.
func brief(d time.Duration) string {
	unit := time.Nanosecond
	for d >= 1000*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit).String()
}
