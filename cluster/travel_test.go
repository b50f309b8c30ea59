package cluster_test

import (
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Baggage is of a protocol of its own: an interface cannot be decoded.
type (
	Airport struct{}
	Baggage struct {
		actor.Cast[Airport]
		Fault error
	}
	airport struct{}
)

func TestServeRefusesWhatCannotTravel(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		d := actor.Define("airport", func() *airport { return nil },
			actor.OnCast(func(*airport, *actor.Context, Baggage) error { return nil }))
		err := n.Serve(d)
		if actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), "Fault of cluster_test.Baggage") {
			t.Errorf("%v, want InvalidArgument that names the field", err)
		}
		if got := n.Instances("airport"); len(got) > 0 {
			t.Errorf("it is served by %v", got)
		}
		if _, err := n.System().Spawn(d); actor.CodeOf(err) != actor.InvalidArgument {
			t.Errorf("it was spawned: %v", err)
		}
		d = d.With(actor.LocalOnly())
		if _, err := n.System().Spawn(d); err != nil {
			t.Errorf("an actor of this node alone: %v", err)
		}
		if err := n.Serve(d); actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), "LocalOnly") {
			t.Errorf("%v, want InvalidArgument that says LocalOnly", err)
		}
	})
}

// Introduce hands over a reference.
type (
	Introduce struct {
		actor.Call[Airport, *actor.Ref[Airport]]
		Who *actor.Ref[Airport]
	}
	Whisper struct {
		actor.Call[Airport, func() int]
		secret int
	}
)

func (airport) introduce(_ *actor.Context, m Introduce) (*actor.Ref[Airport], error) {
	return m.Who, nil
}

func (airport) whisper(_ *actor.Context, m Whisper) (func() int, error) {
	return func() int { return m.secret }, nil
}

func TestAnActorOfThisNodeAloneIsNotMetFromOthers(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		here, there := c.Node(0), c.Node(1)
		d := actor.Define("airport", func() airport { return airport{} }, actor.OnCall(airport.introduce))
		hidden, err := actor.Spawn(here.System(), actor.Define("hidden", func() airport { return airport{} },
			actor.OnCall(airport.whisper), actor.OnCall(airport.introduce)).With(actor.LocalOnly()))
		if err != nil {
			t.Fatal(err)
		}
		met, err := actor.Spawn(here.System(), d)
		if err != nil {
			t.Fatal(err)
		}
		whispered, err := actor.Ask(t.Context(), hidden, Whisper{secret: 7})
		if err != nil || whispered() != 7 {
			t.Error("here:", err)
		}
		far := airportFor(t, there, hidden)
		refused := func(what string, err error, code actor.Code) {
			t.Helper()
			if actor.CodeOf(err) != code || !strings.Contains(err.Error(), "LocalOnly") {
				t.Errorf("%s: %v, want %v that says LocalOnly", what, err, code)
			}
		}
		_, err = actor.Ask(t.Context(), far, Introduce{})
		refused("a message from another node", err, actor.FailedPrecondition)
		ended := make(chan error, 1)
		if _, err := far.Address().Recipient().Watch(func(err error) { ended <- err }); err == nil {
			err = <-ended
			refused("a watch from another node", err, actor.FailedPrecondition)
		}
		near, far := airportFor(t, here, met), airportFor(t, there, met)
		if got, err := actor.Ask(t.Context(), near, Introduce{Who: &hidden}); err != nil || *got != hidden {
			t.Error("within the node:", err)
		}
		_, err = actor.Ask(t.Context(), airportFor(t, here, spawnOn(t, there, d)), Introduce{Who: &hidden})
		refused("its Ref in a message", err, actor.InvalidArgument)
		for _, to := range []actor.Ref[Airport]{near, far} {
			if got, err := actor.Ask(t.Context(), to, Introduce{}); got != nil || err != nil {
				t.Errorf("a nil reply came back as %v, %v", got, err)
			}
		}
	})
}

func spawnOn(t *testing.T, n *cluster.Node, d actor.Definition[Airport]) actor.Ref[Airport] {
	t.Helper()
	ref, err := actor.Spawn(n.System(), d)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// airportFor returns the reference to ref from another node.
func airportFor(t *testing.T, by *cluster.Node, ref actor.Ref[Airport]) actor.Ref[Airport] {
	t.Helper()
	found, err := actor.Resolve[Airport](by.System(), ref.String())
	if err != nil {
		t.Fatal(err)
	}
	return found
}
