package virtual

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// offered is the protocol of the actor whose service tells the others, by gossip, that
// a node serves a kind. It takes no messages.
type offered struct{}

func (s *server) offer() error {
	definition := actor.Define[offered](offerName(s.kind.name), func() struct{} { return struct{}{} })
	return s.kind.extension.node.Serve(definition)
}

func (s *server) withdraw() {
	system := s.kind.extension.node.System()
	if a, err := system.Lookup(offerName(s.kind.name), 0); err == nil {
		_ = system.StopActor(noWait(), a)
	}
}

// runBestEffort is run for a kind that is served as [BestEffort]: whatever comes is
// activated here, and ends when others are preferred.
func (s *server) runBestEffort(ctx context.Context) {
	defer close(s.left)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	swept := time.Now()
	for ctx.Err() == nil && !s.isLeaving() {
		changed := s.kind.change()
		s.endMisplaced(s.kind.table.Load())
		swept = s.sweep(swept)
		timer.Reset(s.untilSweep())
		select {
		case <-changed:
		case <-s.wake:
		case <-timer.C:
		case <-s.leaving:
		case <-ctx.Done():
		}
	}
	s.withdraw()
	for _, v := range s.active.Range {
		v.(*activation).drain()
	}
	s.awaitQuiet(ctx)
}

// endMisplaced ends the activations that belong elsewhere now.
func (s *server) endMisplaced(t *table) {
	if len(t.shards) != gossipShards {
		return
	}
	for _, v := range s.active.Range {
		a := v.(*activation)
		if t.owner(a.name).Node != s.kind.extension.node.Name() {
			a.drain()
		}
	}
}
