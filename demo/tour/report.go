package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

// report prints what happens, step by step.
type report struct {
	*stage.Report
	title   string // of the step under way
	before  int    // claims that were broken when it began
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

// begin begins a step.
func (r *report) begin(number int, title string) {
	r.title, r.before = title, r.Broken()
	r.Heading("%d. %s", number, title)
}

// finish ends a step; err says why it could not go on.
func (r *report) finish(measured string, err error) {
	if err != nil {
		r.Claim(false, "%v", err)
	}
	verdict := held
	if r.Broken() > r.before {
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
	r.Say("")
	// tabwriter counts the bytes of colours too, which are as many in each row.
	table := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	for i, s := range r.results {
		if s.verdict != held {
			broken++
		}
		fmt.Fprintf(table, "%d. %s\t%s\t%s\n", i+1, s.title, r.Mark(s.verdict == held, s.verdict), s.measured)
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
		r.Note("%-6s %9s  %s", node, stage.Number(n), strings.Repeat("#", (n*width+most-1)/most))
	}
}
