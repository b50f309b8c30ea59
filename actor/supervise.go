package actor

import (
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/actor/internal/engine"
)

// Directive is what becomes of an actor that failed.
type Directive int

// The directives.
const (
	// Restart makes a new value of the actor, which takes over its mailbox; its
	// children are stopped.
	Restart Directive = iota
	// Resume goes on with the next message and the same value.
	Resume
	// Stop ends the actor.
	Stop
	// Escalate lets the parent fail; an actor without one stops.
	Escalate
)

// Supervision says what becomes of an actor when a handler or Started panics.
// The idea is Erlang's (https://www.erlang.org/doc/system/sup_princ.html); as in
// Akka Typed it belongs to the definition of the actor that fails. Package settings can
// fill all but Decide; a change counts for definitions that are made after it.
type Supervision struct {
	// Decide chooses by the recovered value. Nil always restarts. It must not
	// block; a panic in it, or runtime.Goexit, counts as Stop.
	Decide func(failure any) Directive `koanf:"-"`
	// MaxRestarts is how many restarts within Within are tried before the actor
	// is stopped. 0, the default, is no limit.
	MaxRestarts int `doc:"How many restarts within the time of within are tried before the actor is stopped.\n0 is no limit." validate:"min=0"`
	// Within is the window in which failures are counted. Default 1 minute.
	Within time.Duration `default:"1m" doc:"The time in which failures are counted." validate:"min=0s"`
	// MinBackoff is the pause before the second restart within Within; the first
	// is immediate, and each further pause is twice the one before, up to
	// MaxBackoff, shortened by up to a fifth at random. Defaults 10 ms and 10 s.
	// An actor that drains stops rather than pause.
	MinBackoff time.Duration `default:"10ms" doc:"The pause before the second restart; each further one is twice as long." validate:"min=0s"`
	MaxBackoff time.Duration `default:"10s" doc:"The longest pause." validate:"min=0s"`
}

func (s Supervision) withDefaults() Supervision {
	if s.Within <= 0 {
		s.Within = time.Minute
	}
	if s.MinBackoff <= 0 {
		s.MinBackoff = 10 * time.Millisecond
	}
	if s.MaxBackoff <= 0 {
		s.MaxBackoff = 10 * time.Second
	}
	s.MaxBackoff = max(s.MaxBackoff, s.MinBackoff)
	return s
}

// failures are those of one actor within the window.
type failures struct{ times []time.Time }

// decide records a failure and returns what to do.
func (s *Supervision) decide(f *failures, value any, now time.Time) engine.Decision {
	switch s.choose(value) {
	case Resume:
		return engine.Decision{Directive: engine.Resume}
	case Stop:
		return engine.Decision{Directive: engine.Stop}
	case Escalate:
		return engine.Decision{Directive: engine.Escalate}
	}
	kept := f.times[:0]
	for _, t := range f.times {
		if now.Sub(t) < s.Within {
			kept = append(kept, t)
		}
	}
	f.times = append(kept, now)
	if n, most := len(f.times), max(rememberedFailures, s.MaxRestarts+1); n > most {
		f.times = append(f.times[:0], f.times[n-most:]...)
	}
	if s.MaxRestarts > 0 && len(f.times) > s.MaxRestarts {
		return engine.Decision{Directive: engine.Stop}
	}
	return engine.Decision{Directive: engine.Restart, After: s.backoff(len(f.times))}
}

func (s *Supervision) choose(value any) (directive Directive) {
	if s.Decide == nil {
		return Restart
	}
	directive = Stop
	_ = contain.Call("Decide", func() error { directive = s.Decide(value); return nil })
	return directive
}

// rememberedFailures bounds what is remembered of an actor that fails for ever: by then
// the pause is MaxBackoff.
const rememberedFailures = 64

func (s *Supervision) backoff(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	pause := s.MinBackoff
	for range failures - 2 {
		if pause *= 2; pause >= s.MaxBackoff {
			pause = s.MaxBackoff
			break
		}
	}
	return pause - time.Duration(rand.Float64()*0.2*float64(pause))
}
