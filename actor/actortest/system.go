package actortest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// stopTimeout is for actors that hang; it says which.
const stopTimeout = 30 * time.Second

// NewSystem returns a system that logs to t. When the test ends it is stopped, and
// the test fails if an actor does not end. Options may say otherwise.
func NewSystem(t testing.TB, options ...actor.SystemOption) *actor.System {
	t.Helper()
	out := &output{t: t}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	system := actor.NewSystem(append([]actor.SystemOption{actor.WithLogger(log)}, options...)...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := system.Stop(ctx); err != nil {
			t.Error(err)
		}
		out.close()
	})
	return system
}

// output writes to a test until it ends, after which testing panics.
type output struct {
	t testing.TB

	mu     sync.Mutex
	closed bool
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return len(line), nil
	}
	return o.t.Output().Write(line)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}
