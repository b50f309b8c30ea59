package topic

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/actor"
)

// interest is what a node tells the others that it wants: events of a topic, for
// themselves or for a group.
type interest struct {
	pattern string
	group   string // empty for none
}

func (i interest) compare(o interest) int {
	if c := strings.Compare(i.pattern, o.pattern); c != 0 {
		return c
	}
	return strings.Compare(i.group, o.group)
}

// interests are those of one node, with the number of subscriptions for each.
type interests map[interest]int

const (
	// maxInterests bounds the text of what a node announces, in bytes: gossip takes
	// 1 MiB, of which services need some.
	maxInterests = 512 << 10
	// maxMembers bounds what another node can claim of a group.
	maxMembers = 1 << 20
)

// encode returns the text that is gossiped: a line for each interest, which is the
// topic, and for a group also its name and how many members the node has.
func (all interests) encode() []byte {
	var text []byte
	for _, i := range slices.SortedFunc(maps.Keys(all), interest.compare) {
		text = i.append(text, all[i])
	}
	return text
}

func (i interest) append(text []byte, members int) []byte {
	text = append(text, i.pattern...)
	if i.group != "" {
		text = append(append(append(text, ' '), i.group...), ' ')
		text = strconv.AppendInt(text, int64(min(members, maxMembers)), 10)
	}
	return append(text, '\n')
}

// size is about what an interest adds to the text.
func (i interest) size() int { return len(i.pattern) + len(i.group) + len(" 1048576 \n") }

// decodeInterests is the inverse of encode, for text from another node.
func decodeInterests(text []byte) (interests, error) {
	all := make(interests)
	for line := range strings.Lines(string(text)) {
		i, members, err := parseInterest(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		if _, twice := all[i]; twice {
			return nil, refusal(actor.InvalidArgument, "the interest %.300q is there twice", line)
		}
		all[i] = members
	}
	return all, nil
}

func parseInterest(line string) (i interest, members int, err error) {
	pattern, rest, grouped := strings.Cut(line, " ")
	if _, err := checkName(pattern); err != nil {
		return i, 0, err
	}
	if !grouped {
		return interest{pattern: pattern}, 1, nil
	}
	group, count, _ := strings.Cut(rest, " ")
	if err := checkGroup(group); err != nil {
		return i, 0, err
	}
	members, err = strconv.Atoi(count)
	if err != nil || members < 1 || members > maxMembers || strconv.Itoa(members) != count {
		return i, 0, refusal(actor.InvalidArgument, "the interest %.600q does not say how many members the group has", line)
	}
	return interest{pattern, group}, members, nil
}
