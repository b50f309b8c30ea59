package mailbox

// ring is a first-in-first-out buffer that grows by doubling, and that gives a
// large buffer back when it becomes empty. It is not safe for concurrent use.
type ring[T any] struct {
	slots []T // the length is a power of two, or zero
	head  int // index of the oldest value
	n     int
}

func (r *ring[T]) push(v T) {
	if r.n == len(r.slots) {
		grown := make([]T, max(1, 2*r.n))
		r.copyTo(grown)
		r.slots, r.head = grown, 0
	}
	r.slots[(r.head+r.n)&(len(r.slots)-1)] = v
	r.n++
}

func (r *ring[T]) pop() (v T, ok bool) {
	if r.n == 0 {
		return v, false
	}
	slot := &r.slots[r.head]
	v = *slot
	var zero T
	*slot = zero // what v refers to must not stay reachable from here
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
	if r.n == 0 && len(r.slots) > keptSlots {
		r.slots, r.head = nil, 0
	}
	return v, true
}

// drain empties the ring and returns its values, oldest first.
func (r *ring[T]) drain() []T {
	if r.n == 0 {
		*r = ring[T]{}
		return nil
	}
	values := make([]T, r.n)
	r.copyTo(values)
	*r = ring[T]{}
	return values
}

// copyTo copies the values, oldest first, to dst, which has room for them all.
func (r *ring[T]) copyTo(dst []T) {
	first := min(r.n, len(r.slots)-r.head)
	copy(dst, r.slots[r.head:r.head+first])
	copy(dst[first:], r.slots[:r.n-first])
}
