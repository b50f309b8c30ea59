package consensus

import (
	"fmt"
	"strconv"
	"strings"
)

// The ID of a core that succeeds another one, which has lost its majority, says so:
// "<first core>.<how many successions>.<random>". So a node that was away knows that what
// it has is not what counts any more.

// successorOf returns a new ID for a core that succeeds another one.
func successorOf(core string) string {
	first, n := lineage(core)
	return fmt.Sprintf("%s.%d.%s", first, n+1, randomHex(4))
}

// lineage returns the first core of a line, and how many successions came since.
func lineage(core string) (first string, successions int) {
	first, rest, _ := strings.Cut(core, ".")
	count, _, _ := strings.Cut(rest, ".")
	successions, _ = strconv.Atoi(count)
	return first, successions
}

// succeeds reports whether a core has succeeded another one.
func succeeds(core, other string) bool {
	first, n := lineage(core)
	before, m := lineage(other)
	return first == before && n > m
}
