package stage

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

func TestAClaimThatDoesNotHoldFailsTheRun(t *testing.T) {
	var out bytes.Buffer
	p := Program{Name: "test", Run: func(_ context.Context, s *Stage) error {
		s.Claim(true, "one is %d", 1)
		s.Claim(false, "one is %d", 2)
		return nil
	}}
	if err := p.Perform(t.Context(), Report{Out: &out}, false); err == nil {
		t.Error("no error")
	}
	if want := "  ok    one is 1\n  FAIL  one is 2\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestColoursOnlyWhereWanted(t *testing.T) {
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		r := Report{Out: &out, Colour: colour}
		r.Heading("heading")
		r.Claim(true, "so")
		r.Claim(false, "not so")
		if got := strings.Count(out.String(), "\x1b["); got > 0 != colour {
			t.Errorf("colour %t: %q", colour, &out)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567",
		-1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456", -1234567: "-1,234,567",
	} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 12345: "12.3µs", 905_432: "905µs",
		3_312_345_678: "3.31s", 10 * time.Second: "10s",
	} {
		if got := Brief(d); got != want {
			t.Errorf("Brief(%v) = %s, want %s", d, got, want)
		}
	}
}
