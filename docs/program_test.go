package docs_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Every Go block in the documents is a file of one module, example.com/hello, and
// names its path after "go":
//
//	```go greet/greet.go
//
// What a program prints is in a block called "text" and the program's folder.

func TestProgramsInTheDocumentsCompile(t *testing.T) {
	dir := writePrograms(t)
	if out, err := goCommand(t.Context(), dir, "vet", "./...").CombinedOutput(); err != nil {
		t.Fatalf("go vet: %v\n%s", err, out)
	}
}

func TestProgramsOfTheReadmeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	dir := writePrograms(t)
	if out, err := goCommand(t.Context(), dir, "build", "-o", "bin/", "./service", "./caller").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	environment := append(withoutTroupe(os.Environ()), "TROUPE_STATE_DIR="+filepath.Join(dir, "state"))

	service := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", "service"))
	service.Env = environment
	service.Stderr = t.Output()
	output, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	greeting, err := bufio.NewReader(output).ReadString('\n')
	if want := printedBy(t, "service"); greeting != want {
		t.Errorf("the service printed %q (%v), README says %q", greeting, err, want)
	}

	caller := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", "caller"))
	caller.Env = environment
	caller.Stderr = t.Output()
	printed, err := caller.Output()
	if want := printedBy(t, "caller"); string(printed) != want || err != nil {
		t.Errorf("the caller printed %q (%v), README says %q", printed, err, want)
	}

	if runtime.GOOS == "windows" { // has no interrupt to send
		_ = service.Process.Kill()
		_ = service.Wait()
		return
	}
	if err := service.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := service.Wait(); err != nil {
		t.Errorf("the service ended with %v, not well", err)
	}
}

func TestLinksInTheDocumentsLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	code := regexp.MustCompile("`[^`]*`")
	for name, text := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), match[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", name, match[1])
			}
		}
	}
}

func TestGuaranteesAreHeldByTestsThatExist(t *testing.T) {
	tests := make(map[string]bool)
	for _, f := range loadTree(t).goes {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test {
				tests[fn.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile(`\bTest[A-Z][A-Za-z]+`)
	for document, text := range documents(t) {
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "|") {
				continue // only tables say what holds a guarantee
			}
			for _, name := range named.FindAllString(line, -1) {
				if !tests[name] {
					t.Errorf("%s names %s, which is no test", document, name)
				}
			}
		}
	}
}

func TestEveryEnvironmentVariableIsDocumented(t *testing.T) {
	guide := documents(t)[filepath.Join("guides", "deploying.md")]
	variable := regexp.MustCompile(`^"TROUPE_[A-Z_]+"$`)
	key := regexp.MustCompile(`; (TROUPE_[A-Z_]+)\n$`)
	read := make(map[string]bool)
	for _, f := range loadTree(t).goes {
		if f.test || strings.HasPrefix(f.path, "demo/") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && variable.MatchString(l.Value) {
				read[strings.Trim(l.Value, `"`)] = true
			}
			return true
		})
	}
	reference, err := os.ReadFile("settings-reference.yaml") // of what Join reads, as a test in cluster holds
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(reference)) {
		if m := key.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "# map of") {
			read[m[1]] = true
		}
	}
	for name := range read {
		if !strings.Contains(guide, "| `"+name+"` |") {
			t.Errorf("docs/guides/deploying.md does not describe %s: add it to the table", name)
		}
	}
	for _, m := range regexp.MustCompile("\\| `(TROUPE_[A-Z_]+)` \\|").FindAllStringSubmatch(guide, -1) {
		if !read[m[1]] {
			t.Errorf("docs/guides/deploying.md describes %s, which nobody reads", m[1])
		}
	}
}

// documents returns the Markdown files by name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	read := func(name string) error {
		text, err := os.ReadFile(name)
		found[name] = string(text)
		return err
	}
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".md" {
			return err
		}
		return read(name)
	})
	for _, name := range []string{"README.md", "CHANGELOG.md"} {
		if err == nil {
			err = read(filepath.Join(root, name))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

type block struct {
	document       string
	language, name string
	text           string
}

var fence = regexp.MustCompile("(?ms)^```([a-z]+)[ ]?([^\n]*)\n(.*?)^```$")

func blocks(t *testing.T) []block {
	t.Helper()
	var all []block
	for document, text := range documents(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			all = append(all, block{document, m[1], m[2], m[3]})
		}
	}
	return all
}

// printedBy returns what the README says that a program prints.
func printedBy(t *testing.T, program string) string {
	t.Helper()
	for _, b := range blocks(t) {
		if b.language == "text" && b.name == program {
			return b.text
		}
	}
	t.Fatalf("no document says what %s prints: add a block that begins with ```text %s", program, program)
	return ""
}

// writePrograms makes a module of the Go blocks and returns its folder.
func writePrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, b := range blocks(t) {
		if b.language != "go" {
			continue
		}
		if !filepath.IsLocal(b.name) || filepath.Ext(b.name) != ".go" {
			t.Errorf("%s: a Go block must name its file, like ```go greet/greet.go: %q does not", b.document, b.name)
			continue
		}
		if formatted, err := format.Source([]byte(b.text)); err != nil || string(formatted) != b.text {
			t.Errorf("%s: %s is not as gofmt would have it: %v", b.document, b.name, err)
		}
		name := filepath.Join(dir, b.name)
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s: there are two files called %s", b.document, b.name)
		}
		write(t, name, []byte(b.text))
	}
	write(t, filepath.Join(dir, "go.mod"), moduleFile(t))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), sums)
	return dir
}

// moduleFile returns the go.mod of a module that uses this one as it lies here, with
// the same versions of all others, so that nothing more has to be fetched.
func moduleFile(t *testing.T) []byte {
	t.Helper()
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	theirs := bytes.Replace(ours, []byte("module "+modulePath), []byte("module example.com/hello"), 1)
	return fmt.Appendf(theirs, "\nrequire %s v0.0.0\nreplace %[1]s => %q\n", modulePath, here)
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func goCommand(ctx context.Context, dir string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	return cmd
}

// withoutTroupe drops what would make a program join somebody's real cluster.
func withoutTroupe(environment []string) []string {
	var kept []string
	for _, e := range environment {
		if !strings.HasPrefix(e, "TROUPE_") {
			kept = append(kept, e)
		}
	}
	return kept
}
