package engine

import "sync"

// watchers are to be told the end of a process.
type watchers struct {
	mu      sync.Mutex
	waiting map[*watcher]struct{}
	ended   bool
}

type watcher struct{ ended func(late bool) }

// WatchFunc calls ended once p has ended: on p's goroutine, which it must not
// block, or at once, and late, if p has ended already. cancel takes it back if it is not
// too late. It works after the engine has been closed, too.
func (p *Process[M]) WatchFunc(ended func(late bool)) (cancel func()) {
	w := &watcher{ended}
	if !p.watchers.add(w) {
		ended(true)
	}
	return func() { p.watchers.remove(w) }
}

func (l *watchers) add(w *watcher) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if l.waiting == nil {
		l.waiting = make(map[*watcher]struct{})
	}
	l.waiting[w] = struct{}{}
	return true
}

func (l *watchers) remove(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, w)
}

func (l *watchers) end() {
	l.mu.Lock()
	waiting := l.waiting
	l.waiting, l.ended = nil, true
	l.mu.Unlock()
	for w := range waiting {
		w.ended(false)
	}
}
