package actor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestPathsRoundTrip(t *testing.T) {
	for _, test := range []struct {
		text, path string
		uid        uint64
	}{
		{"greeter", "greeter", 0},
		{"greeter/session-7#1f3a9c", "greeter/session-7", 0x5a45a90},
		{"a/b/c", "a/b/c", 0},
		{"a#1y2p0ij32e8e7", "a", 1<<63 - 1},
	} {
		path, uid, err := actor.ParsePath(test.text)
		if err != nil || path != test.path {
			t.Errorf("ParsePath(%q) = %q, %d, %v", test.text, path, uid, err)
		}
		if got := actor.FormatPath(path, uid); got != test.text {
			t.Errorf("FormatPath returned %q for %q", got, test.text)
		}
	}
}

func TestBadPaths(t *testing.T) {
	for _, text := range []string{"", "#1", "/", "a/", "/a", "a//b", "a#", "a#0", "a#-1", "a#!", "a#1#2", "..", "a/../b", "a b",
		strings.Repeat("a/", 300) + "a", "a#zzzzzzzzzzzzzzzzz"} {
		if path, uid, err := actor.ParsePath(text); actor.CodeOf(err) != actor.InvalidArgument {
			t.Errorf("ParsePath(%q) = %q, %d, %v", text, path, uid, err)
		}
	}
}

func TestResolve(t *testing.T) {
	system := newSystem(t, actor.WithNode("n1"))
	ref := spawn(t, system, script{})
	got, err := actor.Resolve[Lab](system, ref.String())
	if err != nil || got != ref {
		t.Error(got, err)
	}
	got, err = actor.Resolve[Lab](system, "actor://n1/subject") // whichever incarnation
	if err != nil || got != ref {
		t.Error(got, err)
	}

	gone, err := actor.Resolve[Lab](system, "actor://n1/subject#1")
	if err != nil || gone.String() != "actor://n1/subject#1" {
		t.Error(gone, err)
	}
	codeIs(t, actor.Tell(gone, Note{}), actor.NotFound)
	_, err = actor.Ask(t.Context(), gone, Handled{})
	codeIs(t, err, actor.NotFound)

	for _, bad := range []string{"", "x", "actor://n1/", "actor://n1/a b", "actor://n2/subject", "service:///greeter", "ACTOR://n1/subject"} {
		_, err := actor.Resolve[Lab](system, bad)
		codeIs(t, err, actor.InvalidArgument)
	}
}

// far is a recipient on another node.
type far string

func (f far) Tell(actor.Envelope) error                    { return actor.Unavailable }
func (f far) Ask(actor.Envelope) error                     { return actor.Unavailable }
func (f far) Watch(func(error)) (cancel func(), err error) { return nil, actor.Unimplemented }
func (f far) String() string                               { return string(f) }

// resolveFar knows the node n2.
func resolveFar(path string) (actor.Recipient, error) {
	if strings.HasPrefix(path, "actor://n2/") {
		return far(path), nil
	}
	return nil, actor.Errorf(actor.InvalidArgument, "no such node: %s", path)
}

func TestResolveElsewhere(t *testing.T) {
	system := newSystem(t, actor.WithNode("n1"), actor.WithResolver(resolveFar))
	ref, err := actor.Resolve[Lab](system, "actor://n2/x#1")
	if err != nil || ref != actor.NewRef[Lab](far("actor://n2/x#1")) {
		t.Error(ref, err)
	}
	if err := actor.Tell(ref, Note{}); !errors.Is(err, actor.Unavailable) {
		t.Error(err)
	}
	_, err = actor.Resolve[Lab](system, "actor://n3/x")
	codeIs(t, err, actor.InvalidArgument)
	ref2 := spawn(t, system, script{})
	do(t, ref2, func(ctx *actor.Context) error {
		if err := ctx.Watch(ref); !errors.Is(err, actor.Unimplemented) {
			t.Error(err)
		}
		return nil
	})
}

func TestPathOf(t *testing.T) {
	system, other := newSystem(t), newSystem(t)
	ref := spawn(t, system, script{})
	path, uid, ok := system.PathOf(ref)
	if !ok || path != "subject" || !strings.HasSuffix(ref.String(), actor.FormatPath(path, uid)) {
		t.Error(path, uid, ok)
	}
	a, err := system.Lookup(path, uid)
	if err != nil || a != ref.Address() {
		t.Error(a, err)
	}
	_, err = system.Lookup(path, uid+1)
	codeIs(t, err, actor.NotFound)
	if _, _, ok := other.PathOf(ref); ok {
		t.Error("not an actor of that system")
	}
	if _, _, ok := system.PathOf(actor.Address{}); ok {
		t.Error("nobody is no actor")
	}
}

func TestUnboundRefSaysWhatToDo(t *testing.T) {
	var ref actor.Ref[Lab]
	if err := ref.UnmarshalText([]byte("actor://n1/x")); err != nil {
		t.Fatal(err)
	}
	if ref.String() != "actor://n1/x" || ref.IsZero() {
		t.Error(ref)
	}
	err := actor.Tell(ref, Note{})
	codeIs(t, err, actor.InvalidArgument)
	if !strings.Contains(err.Error(), "actor.Resolve") {
		t.Error(err)
	}
	_, err = actor.Ask(t.Context(), ref, Handled{})
	codeIs(t, err, actor.InvalidArgument)
	if err := ref.UnmarshalText(nil); err != nil || !ref.IsZero() {
		t.Error(ref, err)
	}
}
