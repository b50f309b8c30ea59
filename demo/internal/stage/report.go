package stage

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// Report prints what happens, for a person. It is used by one goroutine at a time.
type Report struct {
	Out    io.Writer
	Colour bool // with ANSI escape codes

	broken int
}

// Say prints a line.
func (r *Report) Say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// Heading prints a line, after an empty one.
func (r *Report) Heading(format string, args ...any) {
	r.Say("\n%s", r.paint(bold, fmt.Sprintf(format, args...)))
}

// Note prints an indented line.
func (r *Report) Note(format string, args ...any) { r.Say("  "+format, args...) }

// Claim prints whether something holds that must.
func (r *Report) Claim(holds bool, format string, args ...any) {
	mark := "ok  "
	if !holds {
		r.broken++
		mark = "FAIL"
	}
	r.Note("%s  %s", r.Mark(holds, mark), fmt.Sprintf(format, args...))
}

// Broken returns how many claims did not hold.
func (r *Report) Broken() int { return r.broken }

// Mark returns the text green, or red if it is not good.
func (r *Report) Mark(good bool, text string) string {
	if good {
		return r.paint(green, text)
	}
	return r.paint(red, text)
}

// The colours, as ANSI escape codes of equal length.
const (
	bold  = "01"
	red   = "31"
	green = "32"
)

func (r *Report) paint(colour, text string) string {
	if !r.Colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Number writes n with a comma at each thousand.
func Number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[:i] != "-"; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Brief writes a duration with about three digits.
func Brief(d time.Duration) string {
	unit := time.Nanosecond
	for d >= 1000*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit).String()
}
