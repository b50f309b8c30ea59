package settings

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// notifier says when something happened to files and folders, also to those that are
// not there yet, and to the symbolic links that lead to them.
//
// It watches the directories in which they are: a watch of a file ends with the file,
// when an editor replaces it.
type notifier struct {
	watcher *fsnotify.Watcher
	changed func()
	reading sync.WaitGroup

	mu      sync.Mutex
	names   map[string]bool // that matter, with the watched directories
	folders map[string]bool // in which all names matter
	moved   map[string]bool // that are no longer what is watched, if they were
	refused map[string]bool // directories that cannot be watched
}

func newNotifier(changed func()) (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &notifier{watcher: w, changed: changed, moved: make(map[string]bool), refused: make(map[string]bool)}
	n.reading.Go(n.read)
	return n, nil
}

func (n *notifier) close() {
	_ = n.watcher.Close()
	n.reading.Wait()
}

func (n *notifier) read() {
	for events, errs := n.watcher.Events, n.watcher.Errors; events != nil || errs != nil; {
		select {
		case event, ok := <-events:
			if !ok {
				events = nil
			} else if n.matters(event) {
				n.changed()
			}
		case _, ok := <-errs:
			if !ok {
				errs = nil
			} else {
				n.changed() // events were lost
			}
		}
	}
}

func (n *notifier) matters(event fsnotify.Event) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
		n.moved[event.Name] = true
	}
	return event.Op != fsnotify.Chmod && (n.names[event.Name] || n.folders[filepath.Dir(event.Name)])
}

// follow makes these what matters, and reports whether something may have happened to
// them that was not noticed.
func (n *notifier) follow(files, folders []string, logger *slog.Logger) (more bool) {
	t := trail{names: make(map[string]bool), dirs: make(map[string]bool), folders: make(map[string]bool)}
	for _, path := range files {
		t.walk(path, false)
	}
	for _, path := range folders {
		t.walk(path, true)
	}
	for dir := range t.dirs {
		t.names[dir] = true
	}
	n.mu.Lock()
	more = !maps.Equal(n.names, t.names) // an event with a new name may have been passed over
	n.names, n.folders = t.names, t.folders
	moved := n.moved
	n.moved = make(map[string]bool)
	n.mu.Unlock()

	for _, dir := range n.watcher.WatchList() {
		if !t.dirs[dir] || moved[dir] {
			_ = n.watcher.Remove(dir)
		}
	}
	watched := n.watcher.WatchList()
	for dir := range t.dirs {
		if slices.Contains(watched, dir) {
			continue
		}
		err := n.watcher.Add(dir)
		knownBad := n.refused[dir]
		if n.refused[dir] = err != nil; err != nil {
			if knownBad {
				continue
			}
			logger.Warn("changes of settings files in a folder are not notified and will be looked for", "folder", dir, "error", err)
			continue
		}
		more = true
	}
	return more
}

// trail is what leads to files.
type trail struct {
	names   map[string]bool
	dirs    map[string]bool
	folders map[string]bool
}

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// walk adds what a path, which is absolute, leads through: every symbolic link, and its
// end, or the first part that is missing.
func (t *trail) walk(path string, isFolder bool) {
	at, rest := rooted(path)
	for links := 0; len(rest) > 0; {
		name := filepath.Join(at, rest[0])
		info, err := os.Lstat(name)
		if err != nil {
			t.note(name)
			return
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if at, rest = name, rest[1:]; len(rest) == 0 {
				t.note(name)
			}
			continue
		}
		t.note(name)
		target, err := os.Readlink(name)
		if links++; err != nil || links > maxLinks {
			return
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(at, target)
		}
		start, steps := rooted(target)
		at, rest = start, append(steps, rest[1:]...)
	}
	if isFolder {
		t.dirs[at], t.folders[at] = true, true
	}
}

// note adds a name and the directory that it is in.
func (t *trail) note(name string) {
	t.names[name] = true
	t.dirs[filepath.Dir(name)] = true
}

// rooted takes an absolute path apart.
func rooted(path string) (root string, steps []string) {
	volume := filepath.VolumeName(path)
	root = volume + string(filepath.Separator)
	return root, strings.FieldsFunc(path[len(volume):], func(r rune) bool { return os.IsPathSeparator(uint8(r)) })
}
