package cluster

import (
	"context"
	"log/slog"
	"math"
)

// levelled passes on what has at least a level, which may change, and what the handler
// within takes.
type levelled struct {
	slog.Handler
	least *slog.LevelVar
}

func (h levelled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.least.Level() && h.Handler.Enabled(ctx, level)
}

func (h levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelled{h.Handler.WithAttrs(attrs), h.least}
}

func (h levelled) WithGroup(name string) slog.Handler {
	return levelled{h.Handler.WithGroup(name), h.least}
}

// leastOf returns the level that is wanted; nil is all that the handler takes.
func leastOf(wanted *slog.Level) slog.Level {
	if wanted == nil {
		return math.MinInt
	}
	return *wanted
}
