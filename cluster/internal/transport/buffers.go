package transport

import "sync"

// buffers recycles the memory of batches. It implements mem.BufferPool, so that
// gRPC gives a buffer back once both it and its lane are done with it.
type buffers struct {
	classes [len(classSizes{})]sync.Pool
}

type classSizes [4]int

// sizes returns the capacities that are recycled. gRPC's mem.NewBuffer never gives
// back 1 KiB or less. The largest holds a full batch and its acknowledgement; a
// single larger message gets a buffer of its own.
func sizes() classSizes {
	return classSizes{2 << 10, 16 << 10, 64 << 10, batchBytes + ackBytes}
}

// Get returns an empty buffer with a capacity of at least n.
func (p *buffers) Get(n int) *[]byte {
	for i, size := range sizes() {
		if n > size {
			continue
		}
		if b, ok := p.classes[i].Get().(*[]byte); ok {
			return b
		}
		n = size
		break
	}
	b := make([]byte, 0, n)
	return &b
}

// Put takes a buffer back.
func (p *buffers) Put(b *[]byte) {
	for i, size := range sizes() {
		if cap(*b) == size {
			*b = (*b)[:0]
			p.classes[i].Put(b)
			return
		}
	}
}
