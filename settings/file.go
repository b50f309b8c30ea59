package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/troupe-go/troupe/settings/internal/document"
)

// layered is a source that can be read.
type layered interface{ read(r *reader) }

// Source is where settings come from, or an option of [Load].
type Source interface{ addTo(p *plan) }

type file struct {
	path     string
	optional bool
}

// File is a YAML, TOML or JSON file, as its extension says, of at most 1 MiB. It must
// be there: if it goes away later, the last good settings stay.
func File(path string) Source { return file{path: path} }

// OptionalFile is like [File], but need not be there. It counts when it appears, and no
// longer when it is deleted.
func OptionalFile(path string) Source { return file{path: path, optional: true} }

func (f file) addTo(p *plan) {
	p.sources, p.onDisk = append(p.sources, f), true
}

func (f file) read(r *reader) {
	r.sources = append(r.sources, f.path)
	content, err := r.readFile(f.path, maxFileSize)
	switch {
	case err == nil:
		r.add(r.parse(f.path, content), true, filepath.Dir(f.path))
	case f.optional && errors.Is(err, fs.ErrNotExist):
	default:
		unreadable(r, f.path, err)
	}
}

func unreadable(r *reader, path string, err error) {
	code := Unreadable
	if errors.Is(err, errTooLarge) {
		code = TooLarge
	}
	r.problems.add(code, "", Origin{Source: path}, "it cannot be read: %v", err)
}

type folder struct{ path string }

// Folder is all YAML, TOML and JSON files in a folder, in the order of their names, but
// for hidden ones. A folder that is not there is empty, until it appears.
func Folder(path string) Source { return folder{path: path} }

func (f folder) addTo(p *plan) {
	p.sources, p.onDisk = append(p.sources, f), true
}

func (f folder) read(r *reader) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		unreadable(r, f.path, err)
		return
	}
	r.folders = append(r.folders, path)
	entries, err := os.ReadDir(path) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unreadable(r, f.path, err)
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || !document.Is(e.Name()) {
			continue
		}
		// It may have gone since; that is a change like others.
		file{path: filepath.Join(f.path, e.Name()), optional: true}.read(r)
	}
}

// The limits of files, in bytes.
const (
	maxFileSize      = 1 << 20
	maxReferenceSize = 64 << 10
)

// node is a value of a source.
type node = document.Node

// at returns where a value was given.
func at(n *node) Origin { return Origin{Source: n.Source, Line: n.Line} }

// parse reads a document. What is wrong with it becomes a problem; the node is nil then,
// and also if the document has no values.
func (r *reader) parse(path string, content []byte) *node {
	var root *node
	err := guard("the parser", func() (err error) {
		root, err = document.Parse(path, content)
		return err
	})
	if err == nil {
		return root
	}
	code, at := Malformed, Origin{Source: path}
	if errors.Is(err, document.ErrLimit) {
		code = TooLarge
	}
	if where, ok := errors.AsType[*document.Malformed](err); ok {
		at.Line = where.Line
	}
	r.problems.add(code, "", at, "%s", err.Error())
	return nil
}
