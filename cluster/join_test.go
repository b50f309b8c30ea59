package cluster_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/security"
)

type Greeter struct{}

type Hello struct {
	actor.Call[Greeter, Greeting]
	Name string
}

type Greeting struct {
	Text string
	From string
}

type greeter struct{ node string }

func (g *greeter) hello(ctx *actor.Context, m Hello) (Greeting, error) {
	return Greeting{Text: "Hello, " + m.Name, From: ctx.System().Node()}, nil
}

func greeterDefinition() actor.Definition[Greeter] {
	return actor.Define("greeter", func() *greeter { return new(greeter) }, actor.OnCall((*greeter).hello))
}

func TestTwoNodes(t *testing.T) {
	secret, _ := security.ParseSecret("a secret for the tests of cluster")
	keys, err := security.Derive(secret, "test")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		net := clustertest.NewNetwork(1)
		defer net.Close()
		join := func(name string) *cluster.Node {
			h := net.Host(name)
			n, err := cluster.Join(t.Context(), cluster.WithName(name), cluster.WithCredentials(keys),
				cluster.WithNetwork(h), cluster.WithListen(h.IP().String()+":7420"),
				cluster.WithDiscovery(discovery.Static("10.0.0.1:7420")),
				cluster.WithLogger(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))),
				cluster.WithEnvironment(func(string) string { return "" }))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		start := time.Now()
		a := join("a")
		b := join("b")
		t.Log("joined", time.Since(start))
		if err := a.Serve(greeterDefinition()); err != nil {
			t.Fatal(err)
		}
		if err := b.Await(t.Context(), func() bool { return len(b.Instances("greeter")) == 1 }); err != nil {
			t.Fatal(err)
		}
		t.Log("seen", time.Since(start))
		reply, err := actor.Ask(t.Context(), cluster.Service[Greeter](b, "greeter"), Hello{Name: "Ada"})
		t.Log(reply, err, time.Since(start))
		if err != nil || reply.From != "a" {
			t.Fatal(reply, err)
		}
		if err := a.Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Log("left", time.Since(start))
		if err := b.Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
