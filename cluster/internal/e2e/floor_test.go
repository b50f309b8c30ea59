package e2e

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// stream is the floor of the benchmarks: messages with their length in front on a
// bare TCP connection. Senders gather them under a lock, and one goroutine writes.
type stream struct {
	conn net.Conn

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte
	closed  bool
	asked   map[uint64]chan []byte
	lastID  uint64
}

const (
	frameHead = 13 // length, kind, ID
	// maxPending is where senders wait.
	maxPending = 8 << 20

	told  byte = 't'
	asked byte = 'a'
	reply byte = 'r'
)

func newStream(conn net.Conn) *stream {
	s := &stream{conn: conn, asked: make(map[uint64]chan []byte)}
	s.changed = sync.NewCond(&s.mu)
	go s.write()
	go s.read()
	return s
}

// serveFloor takes one connection, and answers what is asked there. It returns
// where.
func serveFloor() (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		defer l.Close()
		if conn, err := l.Accept(); err == nil {
			newStream(conn)
		}
	}()
	return l.Addr().String(), nil
}

func (s *stream) send(kind byte, id uint64, payload []byte) {
	s.mu.Lock()
	for len(s.pending) > maxPending && !s.closed {
		s.changed.Wait()
	}
	s.appendLocked(kind, id, payload)
	s.mu.Unlock()
	s.changed.Broadcast()
}

func (s *stream) appendLocked(kind byte, id uint64, payload []byte) {
	s.pending = binary.BigEndian.AppendUint32(s.pending, uint32(len(payload)))
	s.pending = append(s.pending, kind)
	s.pending = binary.BigEndian.AppendUint64(s.pending, id)
	s.pending = append(s.pending, payload...)
}

// ask sends a request through waiter, which the caller may use again.
func (s *stream) ask(payload []byte, waiter chan []byte) []byte {
	s.mu.Lock()
	s.lastID++
	s.asked[s.lastID] = waiter
	s.appendLocked(asked, s.lastID, payload)
	s.mu.Unlock()
	s.changed.Broadcast()
	return <-waiter
}

func (s *stream) write() {
	var writing []byte
	for {
		s.mu.Lock()
		for len(s.pending) == 0 && !s.closed {
			s.changed.Wait()
		}
		s.pending, writing = writing[:0], s.pending
		closed := s.closed
		s.mu.Unlock()
		s.changed.Broadcast()
		if _, err := s.conn.Write(writing); err != nil || closed {
			return
		}
	}
}

func (s *stream) read() {
	defer s.close()
	in := bufio.NewReaderSize(s.conn, 64<<10)
	var head [frameHead]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		id := binary.BigEndian.Uint64(head[5:])
		switch head[4] {
		case asked:
			s.send(reply, id, payload)
		case reply:
			s.mu.Lock()
			waiter := s.asked[id]
			delete(s.asked, id)
			s.mu.Unlock()
			waiter <- payload
		}
	}
}

func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.changed.Broadcast()
	_ = s.conn.Close()
}
