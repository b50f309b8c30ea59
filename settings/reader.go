package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/troupe-go/troupe/settings/internal/document"
)

// reader reads all sources once.
type reader struct {
	schema    *shape
	environ   map[string]string
	problems  *problems
	sources   []string // in their order
	failed    error    // what was wrong with the sources themselves
	layers    []*node  // bound to the schema, the last one wins
	guessed   []guessed
	tolerated problems // of optional sources
	files     []string
	folders   []string
}

// read returns what the sources say now.
func read(schema *shape, environ map[string]string, sources []layered) *reader {
	r := &reader{schema: schema, environ: environ, problems: new(problems)}
	for _, s := range sources {
		s.read(r)
	}
	r.respell()
	r.failed = r.err()
	slices.Sort(r.files)
	slices.Sort(r.folders)
	r.files, r.folders = slices.Compact(r.files), slices.Compact(r.folders)
	return r
}

// err returns what was found to be wrong until now.
func (r *reader) err() error { return r.problems.err(r.sources...) }

// same reports whether the sources said the same before.
func (r *reader) same(before *reader) bool {
	return before != nil && reflect.DeepEqual(r.failed, before.failed) && reflect.DeepEqual(r.layers, before.layers)
}

// add binds a layer. folder is where its references begin.
func (r *reader) add(n *node, variables bool, folder string) {
	if n != nil && n.Kind == document.Table {
		b := &binder{reader: r, variables: variables, folder: folder}
		r.layers = append(r.layers, b.bind(n, r.schema, ""))
	}
}

// build makes a value of what was read, a pointer to the struct. Problems are added.
func (r *reader) build() reflect.Value {
	v := reflect.New(r.schema.typ)
	preset(v.Elem(), r.schema)
	d := &decoder{problems: r.problems}
	for _, layer := range r.layers {
		d.decode(v.Elem(), r.schema, layer, "", false)
	}
	return v
}

// origins returns where a key was given, the source that won first.
func (r *reader) origins(steps []string) []Origin {
	var all []Origin
	for _, layer := range slices.Backward(r.layers) {
		n := layer
		for _, step := range steps {
			if n = n.Fields[step]; n == nil {
				break
			}
		}
		if n != nil && n.Kind != document.Null {
			all = append(all, at(n))
		}
	}
	return all
}

// readFile reads a file, which will be followed whether it is there or not.
func (r *reader) readFile(path string, limit int64) ([]byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	r.files = append(r.files, path)
	// Not opened before it is known to be no pipe, which would block.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: name one", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%w: %s has more than %d bytes: make it smaller", errTooLarge, path, limit)
	}
	return content, err
}

var errTooLarge = errors.New("too large")
