package consensus

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// logQuiet is how long raft's complaint is not repeated: it has the same ones several
// times a second for as long as another server is away.
const logQuiet = time.Minute

// raftSink passes on what raft and autopilot log: errors as warnings, since raft goes on
// after them, warnings as information, since an election is one to raft, and the rest for
// debugging, as everything when ctx has ended.
type raftSink struct {
	ctx    context.Context
	logger *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time
}

func newRaftLogger(ctx context.Context, logger *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	l.RegisterSink(&raftSink{ctx: ctx, logger: logger, last: map[string]time.Time{}})
	return l
}

// Accept implements [hclog.SinkAdapter].
func (s *raftSink) Accept(_ string, level hclog.Level, text string, args ...any) {
	to := slog.LevelDebug
	if level >= hclog.Warn && s.ctx.Err() == nil && s.first(text) {
		to = slog.LevelInfo
		if level >= hclog.Error {
			to = slog.LevelWarn
		}
	}
	if s.logger.Enabled(s.ctx, to) {
		s.logger.Log(s.ctx, to, "raft: "+text, args...)
	}
}

func (s *raftSink) first(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.last[text]; ok && now.Sub(last) < logQuiet {
		return false
	}
	s.last[text] = now
	return true
}
