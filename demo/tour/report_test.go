package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

func printed(out io.Writer, colour bool) *report {
	return &report{Report: &stage.Report{Out: out, Colour: colour}}
}

func TestReportCountsStepsThatDidNotHold(t *testing.T) {
	var out bytes.Buffer
	r := printed(&out, false)
	r.begin(1, "good")
	r.Claim(true, "one is %d", 1)
	r.finish("a number", nil)
	r.begin(2, "false claim")
	r.Claim(false, "one is two")
	r.Claim(true, "two is two")
	r.finish("", nil)
	r.begin(3, "cannot go on")
	r.finish("", errors.New("no more paper"))
	r.skip("never tried")
	if n := r.summary(); n != 3 {
		t.Errorf("%d steps did not hold", n)
	}
	_, table, _ := strings.Cut(out.String(), "no more paper\n\n")
	want := "" +
		"1. good          held     a number\n" +
		"2. false claim   FAILED   \n" +
		"3. cannot go on  FAILED   \n" +
		"4. never tried   not run  \n"
	if table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestColoursOnlyWhereWanted(t *testing.T) {
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		r := printed(&out, colour)
		r.begin(1, "step")
		r.Claim(true, "so")
		r.finish("", nil)
		r.summary()
		if got := strings.Contains(out.String(), "\x1b"); got != colour {
			t.Errorf("colour %t: %q", colour, &out)
		}
	}
}

func TestBarsAreInProportion(t *testing.T) {
	var out bytes.Buffer
	printed(&out, false).bars(map[string]int{"anna": 40, "ben": 20, "cleo": 0})
	for name, want := range map[string]int{"anna": 40, "ben": 20, "cleo": 0} {
		_, line, _ := strings.Cut(out.String(), name)
		line, _, _ = strings.Cut(line, "\n")
		if got := strings.Count(line, "#"); got != want {
			t.Errorf("%s: %d of %d", name, got, want)
		}
	}
}
