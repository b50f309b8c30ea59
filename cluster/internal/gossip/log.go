package gossip

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/troupe-go/troupe/persistence/version"
)

const (
	logWindow = 10 * time.Second
	logBurst  = 20 // lines of one level per window
	maxLine   = 400
)

// logBridge is where memberlist logs to: it gives the lines their level and
// cuts floods.
type logBridge struct {
	log *slog.Logger

	mu      sync.Mutex
	started time.Time // of the window
	lines   map[slog.Level]int
}

func newLogBridge(logger *slog.Logger) *log.Logger {
	return log.New(&logBridge{log: logger, lines: make(map[slog.Level]int)}, "", 0)
}

// Write takes one line of the form "[LEVEL] memberlist: text".
func (b *logBridge) Write(line []byte) (int, error) {
	level, text := parseLine(string(line))
	if !b.log.Enabled(context.Background(), level) {
		return len(line), nil
	}
	pass, dropped := b.admit(level)
	if dropped > 0 {
		b.log.Warn("gossip: too many messages of memberlist", "dropped", dropped)
	}
	if pass {
		b.log.Log(context.Background(), level, text)
	}
	return len(line), nil
}

// admit reports whether a line may pass, and how many were dropped in the
// window before when a new one begins.
func (b *logBridge) admit(level slog.Level) (pass bool, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.started) >= logWindow {
		for _, n := range b.lines {
			dropped += max(0, n-logBurst)
		}
		clear(b.lines)
		b.started = now
	}
	b.lines[level]++
	return b.lines[level] <= logBurst, dropped
}

// isRoutine reports whether a line is about a member that has just left, or been replaced
// at its address: rumours and probes of it are still on their way.
func isRoutine(text string) bool {
	return strings.HasPrefix(text, "ignoring alive message") && strings.HasSuffix(text, hasLeft) ||
		strings.HasPrefix(text, "Got ping for unexpected node")
}

// parseLine maps memberlist's errors to warnings: they are about peers and
// packets, never about this process. What the delegate has reported itself is not
// repeated.
func parseLine(line string) (slog.Level, string) {
	text := strings.TrimSpace(line)
	level := slog.LevelWarn
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if prefix, rest, ok := strings.Cut(rest, "]"); ok {
			text = strings.TrimSpace(rest)
			if prefix == "DEBUG" || prefix == "INFO" { // the node tells of its members in its own words
				level = slog.LevelDebug
			}
		}
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "memberlist:"))
	if strings.Contains(text, version.Advice) || isRoutine(text) {
		level = slog.LevelDebug
	}
	if utf8.RuneCountInString(text) > maxLine {
		text = fmt.Sprintf("%.*s...", maxLine, text)
	}
	return level, "gossip: " + text
}
