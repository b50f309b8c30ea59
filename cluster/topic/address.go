package topic

import "strings"

// What is sent to another node names, before the type of the event, who shall get it
// there, in the field for the type of a message:
//
//	orders.Placed                 those without a group
//	@billing,audit@orders.Placed  those without a group, and one of each of these
//	!billing@orders.Placed        only one of each of these
//	~billing@orders.Placed        the same, and it is not to be passed on once more
const (
	forAll    = '@'
	forGroups = '!'
	passedOn  = '~'
)

// address is the text above, taken apart.
type address struct {
	mode   byte   // 0 without groups
	groups string // with commas in between
	kind   string
}

func (a address) String() string {
	if a.mode == 0 {
		return a.kind
	}
	return string(a.mode) + a.groups + "@" + a.kind
}

// parseAddress is the inverse of String. Every text is an address.
func parseAddress(s string) address {
	if s == "" || s[0] != forAll && s[0] != forGroups && s[0] != passedOn {
		return address{kind: s}
	}
	groups, kind, _ := strings.Cut(s[1:], "@")
	return address{mode: s[0], groups: groups, kind: kind}
}

// plain reports whether subscriptions without a group are meant, too.
func (a address) plain() bool { return a.mode == 0 || a.mode == forAll }
