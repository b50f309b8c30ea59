package badgerfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The suffixes of Badger's logs: of the memtables and of large values.
const (
	MemtableSuffix = ".mem"
	ValueLogSuffix = ".vlog"
)

// SyncFile makes what is in a file durable, if there is one: a log may go meanwhile.
func SyncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// LogID returns the number in the name of one of Badger's files.
func LogID(name, suffix string) (int, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	id, err := strconv.Atoi(digits)
	return id, err == nil
}

// LogsIn returns the paths of the files in dir with that suffix, oldest first.
func LogsIn(dir, suffix string) ([]string, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	ids := map[string]int{}
	var out []string
	for _, n := range names {
		if id, ok := LogID(n.Name(), suffix); ok {
			path := filepath.Join(dir, n.Name())
			ids[path] = id
			out = append(out, path)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return ids[a] - ids[b] })
	return out, nil
}

// SyncDir makes new names in dir durable, where the system has that.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Windows cannot sync a directory.
	if err := d.Sync(); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}
