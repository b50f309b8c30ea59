package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is the root of the repository, as seen from this folder.
const root = ".."

// tree is the source of the module, for all operating systems.
type tree struct {
	files *token.FileSet
	goes  []goFile
}

type goFile struct {
	path      string // from the root, with slashes
	lines     int
	generated bool
	test      bool // a _test.go file
	syntax    *ast.File
}

// pkg is the folder of the file, from the root.
func (f *goFile) pkg() string { return path.Dir(f.path) }

// parsed is read once, for all tests.
var parsed = sync.OnceValues(parseTree)

func loadTree(t *testing.T) *tree {
	t.Helper()
	tr, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func parseTree() (*tree, error) {
	tr := &tree{files: token.NewFileSet()}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && isForeign(name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(tr.files, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		tr.goes = append(tr.goes, goFile{
			path:      filepath.ToSlash(relative),
			lines:     tr.files.File(syntax.FileStart).LineCount(),
			generated: ast.IsGenerated(syntax),
			test:      strings.HasSuffix(name, "_test.go"),
			syntax:    syntax,
		})
		return nil
	})
	return tr, err
}

// isForeign reports whether a folder is not of this module.
func isForeign(dir string) bool {
	base := filepath.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

type goPackage struct {
	path    string // from the root
	imports []goImport
}

type goImport struct {
	file string
	path string
	test bool
}

// packages returns all packages and what their files import.
func (tr *tree) packages() []*goPackage {
	byPath := make(map[string]*goPackage)
	var all []*goPackage
	for _, f := range tr.goes {
		p := byPath[f.pkg()]
		if p == nil {
			p = &goPackage{path: f.pkg()}
			byPath[p.path] = p
			all = append(all, p)
		}
		for _, spec := range f.syntax.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			p.imports = append(p.imports, goImport{file: f.path, path: target, test: f.test})
		}
	}
	slices.SortFunc(all, func(a, b *goPackage) int { return strings.Compare(a.path, b.path) })
	return all
}

// at returns "file:line" of a node.
func (tr *tree) at(f *goFile, n ast.Node) string {
	return f.path + ":" + strconv.Itoa(tr.files.Position(n.Pos()).Line)
}
