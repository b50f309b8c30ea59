package docs_test

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// A reader has to get through a file, a function, a folder, and the face of a package.
const (
	maxFileLines     = 500
	maxFunctionLines = 80
	maxFolderFiles   = 25 // without tests, and what is generated
)

// faces says how many names a package may export, without methods.
const faces = `
	actor        < 60
	cluster      < 50
	cluster/topic < 25
	persistence  < 50
`

// owed is what is larger than it may be, and how large it is. It must not grow; when it
// has shrunk, so must its row, until that can go.
const owed = `
	face actor            < 104
	face cluster          < 60
	face cluster/topic    < 42
	face persistence      < 63
	folder actor          < 46
	folder cluster        < 45
	folder cluster/internal/consensus < 51
	folder cluster/topic  < 37
	folder persistence/badger < 34
	function persistence/badger/replace_test.go:TestReplacingMakesRevisionsGrow < 83
`

// sizes gathers what is larger than it may be.
type sizes map[string]int

func (s sizes) note(what string, size, limit int) {
	if size > limit {
		s[what] = size
	}
}

func TestEverythingIsOfReadableSize(t *testing.T) {
	tr := loadTree(t)
	large := sizes{}
	files := map[string]int{}
	for _, f := range tr.goes {
		if f.generated {
			continue
		}
		large.note("file "+f.path, f.lines, maxFileLines)
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				lines := tr.files.Position(fn.End()).Line - tr.files.Position(fn.Pos()).Line + 1
				large.note("function "+f.path+":"+fn.Name.Name, lines, maxFunctionLines)
			}
		}
		if !f.test {
			files[f.pkg()]++
		}
	}
	for folder, n := range files {
		large.note("folder "+folder, n, maxFolderFiles)
	}
	names := tr.exported()
	for p, limit := range parseTable(t, faces) {
		large.note("face "+p, names[p], number(t, limit))
	}
	rows := parseTable(t, owed)
	for _, what := range slices.Sorted(maps.Keys(large)) {
		switch row, known := rows[what]; {
		case !known:
			t.Errorf("%s: %d is more than it may have: split it by concept", what, large[what])
		case number(t, row) != large[what]:
			t.Errorf("%s: %d, and its row in the table owed says %s", what, large[what], row)
		}
	}
	for what := range rows {
		if large[what] == 0 {
			t.Errorf("%s is as small as it has to be: delete its row in the table owed", what)
		}
	}
}

func number(t *testing.T, row []string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(strings.Join(row, " "), &n); err != nil {
		t.Fatal(row, err)
	}
	return n
}

// exported returns how many names each package exports, without methods.
func (tr *tree) exported() map[string]int {
	names := map[string]int{}
	for _, f := range tr.goes {
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			for _, n := range declared(d) {
				if n.IsExported() {
					names[f.pkg()]++
				}
			}
		}
	}
	return names
}

// declared returns the names that a declaration gives to its package.
func declared(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	return names
}
