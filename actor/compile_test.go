package actor_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// contract holds two protocols, as a service and its callers share them.
const contract = `package contract

import "github.com/troupe-go/troupe/actor"

// Greeter is the protocol: the set of messages a greeter accepts.
type Greeter struct{}

// Hello is a request of the Greeter protocol; it is answered by a Greeting.
type Hello struct {
	actor.Call[Greeter, Greeting]
	Name string
}

type Greeting struct{ Text string }

// Forget is told, not asked: nobody waits for an answer.
type Forget struct{ actor.Cast[Greeter] }

// Orders is another protocol.
type Orders struct{}

// Place is a request of the Orders protocol.
type Place struct{ actor.Call[Orders, int] }

// Drop is told.
type Drop struct{ actor.Cast[Orders] }
`

// program is what a user writes; %BODY% is the caller.
const program = `package main

import (
	"context"

	"github.com/troupe-go/troupe/actor"
	greet "github.com/troupe-go/troupe/actor/internal/compiled/contract"
)

type greeter struct{ greeted int }

func (g *greeter) hello(ctx *actor.Context, m greet.Hello) (greet.Greeting, error) {
	g.greeted++
	return greet.Greeting{Text: "Hello, " + m.Name}, nil
}

func (g *greeter) forget(ctx *actor.Context, m greet.Forget) error { g.greeted = 0; return nil }

func (g *greeter) place(ctx *actor.Context, m greet.Place) (int, error) { return 0, nil }

func main() {
	ctx := context.Background()
	system := actor.NewSystem()
	defer system.Stop(ctx)
	definition := actor.Define("greeter", func() *greeter { return new(greeter) },
		actor.OnCall((*greeter).hello),
		actor.OnCast((*greeter).forget))
	greeter, err := actor.Spawn(system, definition)
	if err != nil {
		panic(err)
	}
	%BODY%
	_ = greeter
}
`

func TestWhatCompiles(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command:", err)
	}
	for name, test := range map[string]struct {
		body     string
		mentions []string // in the error; none if it compiles
	}{
		"the program of the design": {body: `
			reply, err := actor.Ask(ctx, greeter, greet.Hello{Name: "Ada"})
			var _ greet.Greeting = reply
			err = actor.Tell(greeter, greet.Forget{})
			_ = err`},
		"asking for a foreign protocol":     {`actor.Ask(ctx, greeter, greet.Place{})`, []string{"Place", "Orders"}},
		"telling a foreign protocol":        {`actor.Tell(greeter, greet.Drop{})`, []string{"Drop", "Orders"}},
		"asking what is told":               {`actor.Ask(ctx, greeter, greet.Forget{})`, []string{"Forget", "ActorReply"}},
		"asking what is no message":         {`actor.Ask(ctx, greeter, "Ada")`, []string{"actor.Ask", "cannot infer"}},
		"another reply":                     {`reply, _ := actor.Ask(ctx, greeter, greet.Hello{}); var _ int = reply`, []string{"Greeting", "int"}},
		"a foreign handler in a definition": {`actor.Define("x", func() *greeter_ { return nil }, actor.OnCall((*greeter_).hello), actor.OnCall((*greeter_).place))`, []string{"Orders", "Greeter"}},
		"a Ref of another protocol":         {`var _ actor.Ref[greet.Orders] = greeter`, []string{"Orders", "Greeter"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := test.body
			source := program
			if strings.Contains(body, "greeter_") { // main's greeter hides the type
				source += "\ntype greeter_ = greeter\n"
			}
			output, err := compile(t, goTool, strings.Replace(source, "%BODY%", body, 1))
			switch {
			case len(test.mentions) == 0 && err != nil:
				t.Errorf("%v\n%s", err, output)
			case len(test.mentions) > 0 && err == nil:
				t.Error("it compiles")
			}
			for _, word := range test.mentions {
				if !strings.Contains(output, word) {
					t.Errorf("the error does not mention %s:\n%s", word, output)
				}
			}
		})
	}
}

// compile builds source as a package of this module that exists for the compiler
// only.
func compile(t *testing.T, goTool, source string) (output string, err error) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	replace := make(map[string]string)
	for path, text := range map[string]string{"contract/contract.go": contract, "program/main.go": source} {
		file := filepath.Join(temp, filepath.Base(path))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, "internal", "compiled", filepath.FromSlash(path))] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(temp, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(goTool, "build", "-overlay", file, "-o", os.DevNull, "./internal/compiled/program").CombinedOutput()
	return string(out), err
}
