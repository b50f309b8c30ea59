package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReportCountsStepsThatDidNotHold(t *testing.T) {
	var out bytes.Buffer
	r := &report{out: &out}
	r.begin(1, "good")
	r.claim(true, "one is %d", 1)
	r.finish("a number", nil)
	r.begin(2, "false claim")
	r.claim(false, "one is two")
	r.claim(true, "two is two")
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
		r := &report{out: &out, colour: colour}
		r.begin(1, "step")
		r.claim(true, "so")
		r.finish("", nil)
		r.summary()
		if got := strings.Contains(out.String(), "\x1b"); got != colour {
			t.Errorf("colour %t: %q", colour, &out)
		}
	}
}

func TestBarsAreInProportion(t *testing.T) {
	var out bytes.Buffer
	(&report{out: &out}).bars(map[string]int{"anna": 40, "ben": 20, "cleo": 0})
	for name, want := range map[string]int{"anna": 40, "ben": 20, "cleo": 0} {
		_, line, _ := strings.Cut(out.String(), name)
		line, _, _ = strings.Cut(line, "\n")
		if got := strings.Count(line, "#"); got != want {
			t.Errorf("%s: %d of %d", name, got, want)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 12345: "12.3µs", 905_432: "905µs",
		3_312_345_678: "3.31s", 10 * time.Second: "10s",
	} {
		if got := brief(d); got != want {
			t.Errorf("brief(%v) = %s, want %s", d, got, want)
		}
	}
}
