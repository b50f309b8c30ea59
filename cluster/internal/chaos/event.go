package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Kind says what a client did.
type Kind string

// What clients do.
const (
	Get     Kind = "get"     // read a record: Got
	Put     Kind = "put"     // write Value
	Swap    Kind = "swap"    // write Value if Expect is there
	Add     Kind = "add"     // add one to the counter Key: Got is what it was
	Acquire Kind = "acquire" // take the lock Key: Token
	End     Kind = "end"     // hold it no longer
	Write   Kind = "write"   // to a resource, with Token, while holding the lock
	Lead    Kind = "lead"    // win the election Key: Token
	Resign  Kind = "resign"  // lead no longer
	Answer  Kind = "answer"  // as activation Got of the virtual actor Key, in epoch Token
	Call    Kind = "call"    // of the virtual actor Key
	Publish Kind = "publish" // Value, with Key, to a durable topic
	Handle  Kind = "handle"  // it, as event Token, for the group Got
)

// Outcome says what a client knows about it.
type Outcome string

// The outcomes. An event that has none was cut off by the end of its process.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // without effect, since its condition did not hold
	Not     Outcome = "not"     // surely without effect
	Unknown Outcome = "unknown" // an error: with or without effect
)

// Event is something that a client did. Times are those of one clock, in nanoseconds.
type Event struct {
	ID      string  `json:"id"` // unique
	Node    string  `json:"node,omitempty"`
	Kind    Kind    `json:"kind,omitempty"`
	Key     string  `json:"key,omitempty"`
	Value   string  `json:"value,omitempty"`
	Expect  string  `json:"expect,omitempty"`
	Began   int64   `json:"began,omitempty"`
	Ended   int64   `json:"ended,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Got     string  `json:"got,omitempty"`
	Token   uint64  `json:"token,omitempty"`
	Attempt int     `json:"attempt,omitempty"` // of a delivery
	Error   string  `json:"error,omitempty"`
	// Failed is the code of an error that is no refusal and was not asked for.
	Failed string `json:"failed,omitempty"`
}

// Recorder writes down events, one line when it begins and one when it has ended, so
// that a process can be killed at any time. It may be used concurrently.
type Recorder struct {
	prefix string

	mu   sync.Mutex
	out  io.Writer
	next int
	err  error
}

// NewRecorder returns a Recorder that writes to out; run tells it from all others.
func NewRecorder(run string, out io.Writer) *Recorder { return &Recorder{prefix: run, out: out} }

// Begin notes that a client begins with e.
func (r *Recorder) Begin(e Event) *Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.ID = fmt.Sprintf("%s-%d", r.prefix, r.next)
	e.Began = time.Now().UnixNano()
	r.next++
	r.write(&e)
	return &e
}

// End notes how it ended.
func (r *Recorder) End(e *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Ended = time.Now().UnixNano()
	r.write(e)
}

func (r *Recorder) write(e *Event) {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = r.out.Write(append(line, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

// Err returns the first error of writing.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// ReadEvents returns what was recorded, in the order in which it began. A last line
// that was cut off is left out.
func ReadEvents(in io.Reader) ([]Event, error) {
	index := map[string]int{}
	var events []Event
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var torn error
	for lines.Scan() {
		if torn != nil {
			return nil, torn
		}
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			torn = fmt.Errorf("chaos: a line of the record: %w", err)
			continue
		}
		if i, ok := index[e.ID]; ok {
			events[i] = e
			continue
		}
		index[e.ID] = len(events)
		events = append(events, e)
	}
	return events, lines.Err()
}
