package docs_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fatal is what ends or disturbs the process of whoever uses a library. Errors are
// returned, and what is to be logged goes to the logger that the caller gave.
const fatal = `panic print println os.Exit runtime.Goexit
	fmt.Print fmt.Printf fmt.Println
	log.Print log.Printf log.Println log.Fatal log.Fatalf log.Fatalln log.Panic log.Panicf log.Panicln log.SetOutput log.SetFlags log.SetPrefix log.Default
	slog.Debug slog.Info slog.Warn slog.Error slog.Log slog.LogAttrs
	slog.DebugContext slog.InfoContext slog.WarnContext slog.ErrorContext slog.SetDefault slog.SetLogLoggerLevel`

// allowed are the exceptions, by function. But for the last, they run in the turn of an actor,
// where the engine recovers a panic at once and hands it to supervision: it is how an
// actor fails. The last ends a goroutine of Badger, which would try for ever to write to a
// folder that is gone, and takes no other answer.
func allowed(function, call string) bool {
	switch function + " " + call {
	case "actor/cell.go:Started panic", // Started returned an error
		"actor/fail.go:Fail panic",                          // a handler gave up
		"actor/defer.go:pipeFailed panic",                   // a goroutine of Pipe panicked
		"actor/internal/engine/lifecycle.go:escalate panic", // a child's failure becomes its parent's
		"persistence/badger/config.go:failed runtime.Goexit":
		return true
	}
	return false
}

func TestNothingHappensBeforeMain(t *testing.T) {
	tr := loadTree(t)
	for _, f := range tr.goes {
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.Name == "init" && !f.generated {
				t.Errorf("%s: an init function runs for all who import the package: do it in a constructor", tr.at(&f, fn))
			}
		}
	}
}

func TestPackagesHaveNoState(t *testing.T) {
	tr := loadTree(t)
	for _, f := range tr.goes {
		if f.test || f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, s := range decl.Specs {
				if v := s.(*ast.ValueSpec); !isSentinel(v) && !isAssertion(v) {
					t.Errorf("%s: var %s is shared by all who use the package: make it a constant, a function or a field", tr.at(&f, v), v.Names[0])
				}
			}
		}
	}
}

// isSentinel reports whether v holds errors to compare with, which are made when it
// is declared.
func isSentinel(v *ast.ValueSpec) bool {
	for _, name := range v.Names {
		if !strings.HasPrefix(strings.ToLower(name.Name), "err") {
			return false
		}
	}
	for _, value := range v.Values {
		call, ok := value.(*ast.CallExpr)
		if !ok || !slices.Contains([]string{"errors.New", "fmt.Errorf", "actor.NewError", "actor.Errorf", "NewError", "Errorf"}, calleeName(call)) {
			return false
		}
	}
	return len(v.Values) == len(v.Names)
}

// isAssertion reports whether v only lets the compiler check something.
func isAssertion(v *ast.ValueSpec) bool {
	return !slices.ContainsFunc(v.Names, func(n *ast.Ident) bool { return n.Name != "_" })
}

func TestTestsDoNotSleep(t *testing.T) {
	tr := loadTree(t)
	for _, f := range tr.goes {
		if f.test || strings.HasSuffix(f.pkg(), "test") {
			tr.forEachCall(&f, func(function, call string, n ast.Node) {
				if call == "time.Sleep" {
					t.Errorf("%s: a test that sleeps is slow or flaky: wait on a channel, or use a testing/synctest bubble", tr.at(&f, n))
				}
			})
		}
	}
}

func TestTheProcessBelongsToTheUser(t *testing.T) {
	tr := loadTree(t)
	forbidden := strings.Fields(fatal)
	for _, f := range tr.goes {
		if f.test || f.generated || f.syntax.Name.Name == "main" {
			continue
		}
		tr.forEachCall(&f, func(function, call string, n ast.Node) {
			if slices.Contains(forbidden, call) && !allowed(f.path+":"+function, call) {
				t.Errorf("%s: %s in a library: return an error, or log to the caller's logger", tr.at(&f, n), call)
			}
		})
	}
}

// forEachCall visits the calls in f: of builtins by name, of functions of other
// packages as "package.Function" whatever the import is called.
func (tr *tree) forEachCall(f *goFile, visit func(function, call string, n ast.Node)) {
	packages := make(map[string]string) // by local name
	for _, spec := range f.syntax.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		packages[name] = path.Base(target)
	}
	for _, d := range f.syntax.Decls {
		function := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			function = fn.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := calleeName(call)
			if local, member, qualified := strings.Cut(name, "."); qualified {
				imported, ok := packages[local]
				if !ok {
					return true // a method
				}
				name = imported + "." + member
			}
			visit(function, name, call)
			return true
		})
	}
}

// calleeName returns "f" for f(), "x.f" for x.f(), and "" for anything else.
func calleeName(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.SelectorExpr:
		if x, ok := fn.X.(*ast.Ident); ok {
			return x.Name + "." + fn.Sel.Name
		}
	}
	return ""
}
