package topic

import (
	"strings"

	"github.com/troupe-go/troupe/actor"
)

// maxName is the length of the longest topic and of the longest group.
const maxName = 256

const (
	anyToken  = "*" // stands for one token
	anyTokens = ">" // stands for one token or more, at the end
)

// checkName checks what may be subscribed to; wild reports that it has wildcards, so
// that nothing can be published there.
func checkName(name string) (wild bool, err error) {
	if name == "" || len(name) > maxName {
		return false, refusal(actor.InvalidArgument, "topic %.300q: use 1 to %d characters", name, maxName)
	}
	for rest, more := name, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		switch {
		case token == "":
			return false, refusal(actor.InvalidArgument, "topic %q has an empty token: put a name between any two dots, and none at its ends", name)
		case token == anyTokens && more:
			return false, refusal(actor.InvalidArgument, "topic %q: > stands for all that follows, and must be the last token", name)
		case token == anyToken, token == anyTokens:
			wild = true
		case !isToken(token):
			return false, refusal(actor.InvalidArgument, "topic %q: the token %q may have letters, digits and -_~:+= only; * and > stand alone", name, token)
		}
	}
	return wild, nil
}

func checkGroup(name string) error {
	if len(name) > maxName || !isToken(name) {
		return refusal(actor.InvalidArgument, "group %.300q: use 1 to %d letters, digits and -_~:+=", name, maxName)
	}
	return nil
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_~:+=", c) >= 0) {
			return false
		}
	}
	return s != ""
}
