package gossip

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLinesOfMemberlistGetTheirLevel(t *testing.T) {
	for line, want := range map[string]struct {
		level slog.Level
		text  string
	}{
		"[DEBUG] memberlist: a b\n": {slog.LevelDebug, "gossip: a b"},
		"[INFO] memberlist: a":      {slog.LevelDebug, "gossip: a"},
		"[WARN] memberlist: a":      {slog.LevelWarn, "gossip: a"},
		"[ERR] memberlist: a":       {slog.LevelWarn, "gossip: a"},
		"[ERROR] memberlist: a":     {slog.LevelWarn, "gossip: a"},
		"Err: a":                    {slog.LevelWarn, "gossip: Err: a"},
		"[odd":                      {slog.LevelWarn, "gossip: [odd"},
		"[WARN] memberlist: ignoring alive message for 'a~1': gossip: a~1 has left": {slog.LevelDebug, "gossip: ignoring alive message for 'a~1': gossip: a~1 has left"},
		"[WARN] memberlist: ignoring alive message for 'a~1': no meta":              {slog.LevelWarn, "gossip: ignoring alive message for 'a~1': no meta"},
		"[WARN] memberlist: Got ping for unexpected node 'a~1' from=127.0.0.1:1":    {slog.LevelDebug, "gossip: Got ping for unexpected node 'a~1' from=127.0.0.1:1"},
	} {
		level, text := parseLine(line)
		if level != want.level || text != want.text {
			t.Errorf("%q: %v %q", line, level, text)
		}
	}
	if _, text := parseLine(strings.Repeat("x", 9999)); len(text) > maxLine+20 {
		t.Errorf("%d bytes passed", len(text))
	}
	for shift := range 4 {
		line := strings.Repeat("x", shift) + strings.Repeat("𝄞", 9999)
		if _, text := parseLine(line); !strings.HasSuffix(text, "𝄞...") || len(text) > 4*maxLine+20 {
			t.Errorf("%d bytes passed, the last %q", len(text), text[len(text)-8:])
		}
	}
}

func TestAFloodOfLinesIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		l := newLogBridge(slog.New(slog.NewTextHandler(log, nil)))
		for range 10 * logBurst {
			l.Print("[ERR] memberlist: again")
			l.Print("[DEBUG] memberlist: not wanted")
		}
		if got := strings.Count(log.String(), "again"); got != logBurst {
			t.Errorf("%d lines", got)
		}
		pass(logWindow)
		l.Print("[ERR] memberlist: later")
		if got := log.String(); !strings.Contains(got, "later") || !strings.Contains(got, "dropped=180") {
			t.Error(got)
		}
	})
}
