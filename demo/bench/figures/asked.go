//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tally is what became of the operations of a kind.
type tally struct {
	asked, failed int
	codes         map[string]int // of those that failed
	example       string         // the error of one of them
}

// settle stops all askers and counts, by kind, the operations that began and ended while
// their node counted.
func (c *nodes) settle(ctx context.Context) (map[string]*tally, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range c.running {
		c.discount(i)
	}
	if err := c.each(func(_ int, p *process) error { return command(ctx, p, "rest") }); err != nil {
		return nil, err
	}
	tallies := map[string]*tally{}
	for _, r := range c.records {
		if err := r.read(tallies); err != nil {
			return nil, err
		}
	}
	return tallies, nil
}

func (r *record) read(tallies map[string]*tally) error {
	file, err := os.Open(r.file)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var kind string
		var began, ended int64
		line, quoted, whole := strings.Cut(lines.Text(), ` "`)
		text, err := strconv.Unquote(`"` + quoted)
		if _, numbers := fmt.Sscanf(line, "%s %d %d", &kind, &began, &ended); !whole || err != nil || numbers != nil {
			continue // the last line of a process that was killed
		}
		if !r.counts(began, ended) {
			continue
		}
		code := strings.Join(strings.Fields(line)[3:], " ")
		t := tallies[kind]
		if t == nil {
			t = &tally{codes: map[string]int{}}
			tallies[kind] = t
		}
		t.asked++
		if code != "ok" {
			t.failed++
			t.codes[code]++
			t.example = text
		}
	}
	return lines.Err()
}

// counts is whether an operation lies in one of the spans.
func (r *record) counts(began, ended int64) bool {
	return slices.ContainsFunc(r.spans, func(s span) bool { return s.began <= began && ended <= s.ended })
}

// kinds of operations, in the order of the table.
func kinds() []string {
	return []string{"put", "get", "cas", "virtual", "singleton", "publish", "lock", "service"}
}

// describe says how operations failed.
func (t *tally) describe() string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(t.codes)) {
		parts = append(parts, fmt.Sprint(t.codes[code], " ", code))
	}
	text := fmt.Sprintf("%d of %d", t.failed, t.asked)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ") + "; such as: " + t.example
	}
	return text
}

// awaitWorking waits until every kind of operation succeeds at all nodes, and returns how
// many seconds after since the last did, and which that was. Those that are joining have
// just been started.
func (c *nodes) awaitWorking(ctx context.Context, since time.Time, joining ...int) (seconds float64, last string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	took := make([]map[string]float64, len(c.running))
	err = c.each(func(i int, p *process) (err error) {
		if slices.Contains(joining, i) {
			if err := command(ctx, p, "join"); err != nil {
				return err
			}
		}
		took[i], err = do[map[string]float64](ctx, p, "works", since.UnixNano())
		return err
	})
	for i, byKind := range took {
		for kind, millis := range byKind {
			if millis/1000 > seconds {
				seconds, last = millis/1000, kind+" at "+name(i)
			}
		}
	}
	if ctx.Err() != nil {
		return time.Since(since).Seconds(), "not at all", nil // that is the figure
	}
	return seconds, last, err
}
