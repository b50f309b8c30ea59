package actor

import (
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor/contain"
)

// DeadLetter is a message that was accepted, or came from another node, and will
// never be handled.
type DeadLetter struct {
	To      string // path of the actor it was for
	Message any    // as its sender gave it; nil if it could not be decoded
	Name    string // of the message's type, as on the wire
	Reason  *Error // why; NotRun is false where it may have been handled after all
}

// WithDeadLetters lets handle see every dead letter. It must be quick, may be
// called concurrently, and must not send messages that may become dead letters
// themselves. Dead letters are also counted and, at most ten in a second, logged.
func WithDeadLetters(handle func(DeadLetter)) SystemOption {
	return systemOption(func(c *systemConfig) { c.dead = handle })
}

const loggedPerSecond = 10

type deadLetters struct {
	handle func(DeadLetter)
	count  atomic.Uint64

	mu      sync.Mutex
	second  time.Time
	logged  int
	skipped int
}

// DeadLetter publishes a message that was lost outside of the system, such as on
// a broken link.
func (s *System) DeadLetter(d DeadLetter) {
	s.dead.count.Add(1)
	s.dead.log(s.log, d)
	if s.dead.handle != nil {
		if err := contain.Call("the handler of dead letters", func() error { s.dead.handle(d); return nil }); err != nil {
			s.log.Error("dead letter", "error", err)
		}
	}
}

func (l *deadLetters) log(log *slog.Logger, d DeadLetter) {
	l.mu.Lock()
	skipped := 0
	if now := time.Now(); now.Sub(l.second) >= time.Second {
		skipped, l.second, l.logged, l.skipped = l.skipped, now, 0, 0
	}
	l.logged++
	quiet := l.logged > loggedPerSecond
	if quiet {
		l.skipped++
	}
	l.mu.Unlock()
	if skipped > 0 {
		log.Warn("more dead letters were not logged", "count", skipped)
	}
	if !quiet {
		log.Warn("dead letter", "to", d.To, "message", d.Name, "reason", d.Reason)
	}
}

func (l *deadLetters) close(log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skipped > 0 {
		log.Warn("more dead letters were not logged", "count", l.skipped)
		l.skipped = 0
	}
}

// undelivered ends a message that no handler will see: whoever asks is told, and
// a cast becomes a dead letter.
func (s *System) undelivered(e Envelope, to *cell, reason *Error) {
	switch m := e.message.(type) {
	case request:
		m.fail(reason)
	case *Timer:
		m.missed(reason)
	default:
		message := e.Message()
		s.DeadLetter(DeadLetter{To: to.String(), Message: message, Name: s.names.of(message), Reason: reason})
	}
}

// names caches what messages are called.
type names struct{ byType sync.Map }

func (n *names) of(message any) string {
	t := reflect.TypeOf(message)
	if t == nil {
		return "nil"
	}
	if name, ok := n.byType.Load(t); ok {
		return name.(string)
	}
	name := typeName(t)
	n.byType.Store(t, name)
	return name
}
