package consensus

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// notices returns what is logged, without times.
func notices() (*slog.Logger, *lockedLog) {
	logged := new(lockedLog)
	return slog.New(slog.NewTextHandler(logged, nil)), logged
}

func TestALongWaitIsInTheLogOnceAndRarelyAfterThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logged := notices()
		var w Waits
		began := time.Now()
		for i := range 3 { // all wait for the same
			defer w.Begin(log, slog.LevelWarn, "it waits", func() string { return "because of the first" })()
			if i == 0 {
				<-time.After(time.Second)
			}
		}
		counts := map[time.Duration]int{
			1900 * time.Millisecond: 0, 2100 * time.Millisecond: 1, 11 * time.Second: 1, 13 * time.Second: 2, 61 * time.Second: 2, 63 * time.Second: 3, 10 * time.Minute: 11,
		}
		for _, at := range []time.Duration{1900 * time.Millisecond, 2100 * time.Millisecond, 11 * time.Second, 13 * time.Second, 61 * time.Second, 63 * time.Second, 10 * time.Minute} {
			<-time.After(time.Until(began.Add(at)))
			if n := strings.Count(logged.String(), `level=WARN msg="it waits: because of the first"`); n != counts[at] {
				t.Errorf("after %v the log has %d notices, want %d:\n%s", at, n, counts[at], logged.String())
			}
		}
		if !strings.Contains(logged.String(), "waiting=3") {
			t.Error("it does not say how many wait")
		}
	})
}

func TestShortWaitsAreNotInTheLogHoweverMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logged := notices()
		var w Waits
		before := func() {}
		for range 100 { // somebody waits all the time, and nobody long
			done := w.Begin(log, slog.LevelWarn, "it waits", func() string { return "not at all" })
			<-time.After(900 * time.Millisecond)
			before()
			before = done
		}
		before()
		<-time.After(time.Hour)
		if logged.String() != "" || len(w.byWhat) != 0 {
			t.Errorf("%d waits are left, and the log has\n%s", len(w.byWhat), logged.String())
		}
	})
}

func TestWaitsThatBeginAgainAreRareInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logged := notices()
		var w Waits
		for range 100 {
			done := w.Begin(log, slog.LevelInfo, "it waits", func() string { return "again" })
			<-time.After(3 * time.Second)
			done()
		}
		if n := strings.Count(logged.String(), "it waits: again"); n < 5 || n > 8 {
			t.Errorf("there are %d notices in 5 minutes:\n%s", n, logged.String())
		}
		<-time.After(time.Hour)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.byWhat) != 0 {
			t.Errorf("%d waits are left", len(w.byWhat))
		}
	})
}

// A core that is there is not waited for, however it was found.
func TestReadsOfACoreThatIsThereAreNotInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		log, logged := notices()
		w.log = log
		nodes := []*node{w.join("a"), w.join("b")}
		for range 100 {
			for _, n := range nodes {
				if _, err := persistence.Latest(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			<-time.After(100 * time.Millisecond)
		}
		if strings.Contains(logged.String(), "waits for a leader") {
			t.Errorf("the log has\n%s", logged.String())
		}
		if why := nodes[0].Waiting(); strings.Contains(why, "elected") || !strings.Contains(why, "a, which leads") {
			t.Errorf("it is said to wait since %s", why)
		}
	})
}

// Whoever asks in vain again and again waits, also on a node without a replica.
func TestANodeThatCannotFoundACoreSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		log, logged := notices()
		w.log = log
		a := w.join("a", func(c *Config) { c.Expect = 3 })
		for range 20 {
			if _, err := a.Get(t.Context(), "k"); err == nil {
				t.Fatal("there is a core")
			}
			<-time.After(time.Second)
		}
		n := strings.Count(logged.String(), "waits for a leader: 1 of the 3 nodes are there that found the replicated store (a)")
		if n < 1 || n > 3 {
			t.Errorf("the log says so %d times:\n%s", n, logged.String())
		}
	})
}
