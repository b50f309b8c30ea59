package gossip

import "slices"

// fifo is a map that holds at most limit entries: the oldest gives way.
type fifo[V any] struct {
	limit  int
	order  []string
	values map[string]V
}

func newFIFO[V any](limit int) *fifo[V] {
	return &fifo[V]{limit: limit, values: make(map[string]V)}
}

func (f *fifo[V]) get(key string) (V, bool) {
	v, ok := f.values[key]
	return v, ok
}

// put sets the value of a key; a key that is there keeps its age.
func (f *fifo[V]) put(key string, v V) {
	if _, ok := f.values[key]; !ok {
		if len(f.order) == f.limit {
			f.remove(f.order[0])
		}
		f.order = append(f.order, key)
	}
	f.values[key] = v
}

func (f *fifo[V]) remove(key string) {
	if _, ok := f.values[key]; !ok {
		return
	}
	delete(f.values, key)
	f.order = slices.DeleteFunc(f.order, func(k string) bool { return k == key })
}
