package actortest

import (
	"slices"
	"sync"

	"github.com/troupe-go/troupe/actor"
)

// DeadLetters keeps the dead letters of a system. The zero value is ready; all
// methods may be called concurrently.
type DeadLetters struct {
	mu      sync.Mutex
	letters []actor.DeadLetter
}

// Option lets a system hand its dead letters to d.
func (d *DeadLetters) Option() actor.SystemOption {
	return actor.WithDeadLetters(func(letter actor.DeadLetter) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.letters = append(d.letters, letter)
	})
}

// All returns a copy of what has come so far, oldest first.
func (d *DeadLetters) All() []actor.DeadLetter {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.letters)
}
