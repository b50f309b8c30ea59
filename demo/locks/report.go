package main

import (
	"fmt"
	"io"
	"time"
)

// report prints what happens, for a person.
type report struct {
	out    io.Writer
	broken int // claims that do not hold
}

func (r *report) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// claim prints whether something holds that must.
func (r *report) claim(holds bool, format string, args ...any) {
	mark := "ok"
	if !holds {
		r.broken++
		mark = "FAIL"
	}
	r.say("  %-4s  %s", mark, fmt.Sprintf(format, args...))
}

// brief writes a duration in milliseconds.
func brief(d time.Duration) string { return d.Round(time.Millisecond).String() }
