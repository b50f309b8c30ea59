package actor

import (
	"strconv"
	"strings"
)

// ParsePath splits an actor's path within its node, such as
// "greeter/session-7#1f3a9c", and checks it. uid is 0 where there is none. Its
// error is InvalidArgument.
func ParsePath(text string) (path string, uid uint64, err error) {
	path, incarnation, found := strings.Cut(text, "#")
	if found {
		if uid, err = strconv.ParseUint(incarnation, 36, 64); err != nil || uid == 0 {
			return "", 0, Errorf(InvalidArgument, "the path %.200q does not end in an incarnation", text)
		}
	}
	if len(path) > maxPath {
		return "", 0, Errorf(InvalidArgument, "the path %.40q… is too long", text)
	}
	for name := range strings.SplitSeq(path, "/") {
		if err := validateName(name); err != nil {
			return "", 0, err
		}
	}
	return path, uid, nil
}

// FormatPath is the inverse of ParsePath.
func FormatPath(path string, uid uint64) string {
	if uid == 0 {
		return path
	}
	return path + "#" + strconv.FormatUint(uid, 36)
}

// PathOf returns the path and incarnation of an actor of this system; ok is false
// if a is none.
func (s *System) PathOf(a Addressable) (path string, uid uint64, ok bool) {
	c, ok := a.Address().recipient.(*cell)
	if !ok || c.system != s {
		return "", 0, false
	}
	return c.path, c.uid, true
}

// gone is the error for who looks for c after its end.
func (c *cell) gone() *Error { return gone{c.system.node, c.path, c.uid}.err() }

// gone is the path of an actor that is not there.
type gone struct {
	node, path string
	uid        uint64
}

func (g gone) err() *Error {
	if g.uid == 0 {
		return notRun(NotFound, "there is no actor %s", g)
	}
	return notRun(NotFound, "%s has stopped", g)
}

func (g gone) Tell(Envelope) error { return g.err() }
func (g gone) Ask(Envelope) error  { return g.err() }
func (g gone) Watch(ended func(error)) (func(), error) {
	ended(g.err())
	return func() {}, nil
}
func (g gone) String() string { return "actor://" + g.node + "/" + FormatPath(g.path, g.uid) }
