package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// apart keeps the nodes of a test away from those of the user.
func apart(t *testing.T) {
	for _, key := range []string{"SECRET", "CLUSTER", "NAME", "LISTEN", "ADVERTISE", "SEEDS", "DNS"} {
		t.Setenv("TROUPE_"+key, "")
	}
	t.Setenv("TROUPE_STATE_DIR", t.TempDir())
}

func TestTwoProcessesGreetEachOther(t *testing.T) {
	apart(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, io.Discard, false) }()
	var out bytes.Buffer
	if err := run(t.Context(), &out, true); err != nil {
		t.Errorf("%v; it printed:\n%s", err, &out)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "Greeting no. 1 from ") {
		t.Errorf("it printed:\n%s", &out)
	}
}

func TestOnceFailsWhereNobodyElseIs(t *testing.T) {
	apart(t)
	ctx, stop := context.WithCancel(t.Context())
	alone := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("waiting")) {
			stop()
		}
	})
	if err := run(ctx, alone, true); err == nil {
		t.Error("no error")
	}
}

func TestOthersTakesEachOtherNodeInTurn(t *testing.T) {
	o := &others{self: "b"}
	candidates := []cluster.Instance{{Node: "a"}, {Node: "b"}, {Node: "c"}}
	var picked string
	for range 4 {
		i, err := o.Pick(nil, candidates)
		if err != nil {
			t.Fatal(err)
		}
		picked += candidates[i].Node
	}
	if picked != "acac" {
		t.Errorf("picked %s", picked)
	}
	if _, err := o.Pick(nil, candidates[1:2]); !errors.Is(err, actor.Unavailable) {
		t.Errorf("alone: %v", err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
