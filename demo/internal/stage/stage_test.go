package stage

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if code, isChild := (Program{Child: behave}).MainOfChild(); isChild {
		os.Exit(code)
	}
	// memberlist does not wait for its last probe: it ends within a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// What the children in these tests do, by name.
const (
	echo   = "echo"   // says what it is cued
	member = "member" // joins, and says its address
	broken = "broken" // fails
	deaf   = "deaf"   // stays when it is sent home
)

func behave(ctx context.Context, c *Child) error {
	switch c.Name {
	case broken:
		return errors.New("out of order")
	case member:
		node, err := c.Join(ctx)
		if err != nil {
			return err
		}
		defer Leave(node)
		c.Say("address", node.Address())
	}
	c.Ready()
	for {
		select {
		case cue := <-c.Cues:
			c.Say("heard", strings.Fields(cue)...)
		case <-ctx.Done():
			if c.Name == deaf {
				select {}
			}
			return ctx.Err()
		}
	}
}

// perform runs what a test does on a stage, and returns the folder that it had.
func perform(t *testing.T, run func(context.Context, *Stage) error) (dir string, err error) {
	t.Helper()
	p := Program{Name: "test", Run: func(ctx context.Context, s *Stage) error {
		dir = s.Dir
		return run(ctx, s)
	}}
	err = p.Perform(t.Context(), Report{Out: new(bytes.Buffer)}, false)
	return dir, err
}

// started starts a child and waits until it is ready.
func started(ctx context.Context, s *Stage, name string) (*Process, error) {
	p, err := s.Start(name)
	if err != nil {
		return nil, err
	}
	return p, p.Ready(ctx)
}

func TestAProcessHearsCuesAndIsHeard(t *testing.T) {
	_, err := perform(t, func(ctx context.Context, s *Stage) error {
		p, err := started(ctx, s, echo)
		if err != nil {
			return err
		}
		if _, said := p.Said("heard"); said {
			t.Error("it has heard something before anything was said")
		}
		for _, cue := range []string{"to be", "or not"} {
			if err := p.Cue(cue); err != nil {
				return err
			}
			heard := func() bool { words, _ := p.Said("heard"); return words == cue }
			if err := p.Await(ctx, heard); err != nil {
				return err
			}
		}
		return p.Close(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTheNodesOfARunMeet(t *testing.T) {
	_, err := perform(t, func(ctx context.Context, s *Stage) error {
		p, err := started(ctx, s, member)
		if err != nil {
			return err
		}
		node, err := s.Join(ctx, "here")
		if err != nil {
			return err
		}
		defer Leave(node)
		address, _ := p.Said("address")
		return node.Await(ctx, func() bool {
			for _, m := range node.Members() {
				if m.Name == member && m.Address == address {
					return true
				}
			}
			return false
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftOfARunThatFails(t *testing.T) {
	reason := errors.New("the reason")
	var p *Process
	dir, err := perform(t, func(ctx context.Context, s *Stage) (err error) {
		if p, err = started(ctx, s, deaf); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.Dir, "file"), nil, 0o600); err != nil {
			return err
		}
		return reason
	})
	if !errors.Is(err, reason) || err.Error() != reason.Error() {
		t.Errorf("got %v, want %v alone", err, reason)
	}
	select {
	case <-p.exited:
	default:
		t.Error("the process is left")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestAProcessThatFailsSaysWhy(t *testing.T) {
	for name, run := range map[string]func(context.Context, *Stage) error{
		"before it is ready": func(ctx context.Context, s *Stage) error {
			_, err := started(ctx, s, broken)
			return err
		},
		"when it is closed": func(ctx context.Context, s *Stage) error {
			p, err := s.Start(broken)
			if err != nil {
				return err
			}
			return p.Close(ctx)
		},
		"unnoticed": func(_ context.Context, s *Stage) error {
			p, err := s.Start(broken)
			if err == nil {
				<-p.exited
			}
			return err
		},
	} {
		_, err := perform(t, run)
		if err == nil || !strings.Contains(err.Error(), "broken has ended") || !strings.Contains(err.Error(), "broken: out of order") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProcessThatWasKilledDidNotFail(t *testing.T) {
	_, err := perform(t, func(ctx context.Context, s *Stage) error {
		p, err := started(ctx, s, echo)
		if err != nil {
			return err
		}
		p.Kill()
		p.Kill()
		if err := p.Await(ctx, func() bool { return false }); err == nil {
			t.Error("nobody says that it has ended")
		}
		return p.Close(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAProcessThatDoesNotGoHomeIsKilled(t *testing.T) {
	_, err := perform(t, func(ctx context.Context, s *Stage) error {
		p, err := started(ctx, s, deaf)
		if err != nil {
			return err
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		return p.Close(over)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	_, err := perform(t, func(ctx context.Context, s *Stage) error {
		p, err := started(ctx, s, echo)
		if err != nil {
			return err
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		return p.Await(over, func() bool { return false })
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), echo) {
		t.Errorf("got %v", err)
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Pause(ctx, time.Second); err != nil {
			t.Error(err)
		}
		if err := Pause(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
