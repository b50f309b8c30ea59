package persistence

import "sync"

// maxWorkers is how many reads and writes of the store there may be at a time.
const maxWorkers = 128

// workers run tasks that wait for nothing but the store.
type workers struct {
	group sync.WaitGroup
	eased func() // called when there is room again

	mu      sync.Mutex
	tasks   []func()
	running int
	wasFull bool
	closed  bool
}

// submit runs task when a worker is free. After close it does nothing.
func (w *workers) submit(task func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.tasks = append(w.tasks, task)
	if w.running < maxWorkers {
		w.running++
		w.group.Go(w.work)
	}
}

// run runs f beside the workers. After close it does nothing.
func (w *workers) run(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.group.Go(f)
	}
}

func (w *workers) work() {
	for {
		task, eased := w.next()
		if eased {
			w.eased()
		}
		if task == nil {
			return
		}
		task()
	}
}

func (w *workers) next() (task func(), eased bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wasFull && len(w.tasks) <= maxQueued/2 {
		w.wasFull, eased = false, true
	}
	if len(w.tasks) == 0 || w.closed {
		w.running--
		return nil, eased
	}
	task, w.tasks = w.tasks[0], w.tasks[1:]
	return task, eased
}

// full reports whether so many tasks wait that no more should be found; eased is called
// when that is over.
func (w *workers) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tasks) >= maxQueued {
		w.wasFull = true
	}
	return w.wasFull
}

// close lets those that run finish, and waits for them.
func (w *workers) close() {
	w.mu.Lock()
	w.closed, w.tasks = true, nil
	w.mu.Unlock()
	w.group.Wait()
}
