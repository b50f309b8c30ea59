package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/security"
)

// Greeter is the protocol: the set of messages a greeter accepts.
type Greeter struct{}

// Hello is a request of the Greeter protocol.
type Hello struct {
	actor.Call[Greeter, Greeting]
	Name string
}

type Greeting struct{ Text string }

type greeter struct{}

func (greeter) hello(_ *actor.Context, m Hello) (Greeting, error) {
	return Greeting{Text: "Hello, " + m.Name}, nil
}

// joinHere joins a cluster of this process alone. A program just calls
// cluster.Join(ctx).
func joinHere(ctx context.Context, name string, seeds ...string) (*cluster.Node, error) {
	secret, err := security.ParseSecret("the secret of the examples")
	if err != nil {
		return nil, err
	}
	return cluster.Join(ctx,
		cluster.WithCluster("examples"),
		cluster.WithName(name),
		cluster.WithSecret(secret),
		cluster.WithListen("127.0.0.1:0"),
		cluster.WithDiscovery(discovery.Static(seeds...)),
		cluster.WithLogger(slog.New(slog.DiscardHandler)),
		cluster.WithEnvironment(func(string) string { return "" }),
	)
}

// One node serves, another one asks.
func Example() {
	ctx := context.Background()
	server, err := joinHere(ctx, "server")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Leave(ctx)
	err = server.Serve(actor.Define("greeter", func() greeter { return greeter{} }, actor.OnCall(greeter.hello)))
	if err != nil {
		fmt.Println(err)
		return
	}

	client, err := joinHere(ctx, "client", server.Address())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Leave(ctx)
	err = client.Await(ctx, func() bool { return len(client.Instances("greeter")) > 0 })
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := actor.Ask(ctx, cluster.Service[Greeter](client, "greeter"), Hello{Name: "Ada"})
	fmt.Println(reply.Text, err)
	// Output: Hello, Ada <nil>
}

// Nobody serves, and the caller knows at once.
func ExampleService() {
	ctx := context.Background()
	node, err := joinHere(ctx, "alone")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	_, err = actor.Ask(ctx, cluster.Service[Greeter](node, "greeter"), Hello{Name: "Ada"})
	fmt.Println(errors.Is(err, actor.Unavailable))
	// Output: true
}

// A name belongs to one live node.
func ExampleJoin() {
	ctx := context.Background()
	first, err := joinHere(ctx, "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer first.Leave(ctx)

	_, err = joinHere(ctx, "ada", first.Address())
	fmt.Println(errors.Is(err, cluster.ErrNameTaken))
	// Output: true
}

// All messages with one key go to one instance.
func ExampleConsistentHash() {
	byName := cluster.ConsistentHash{Key: func(m any) string { return m.(Hello).Name }}
	instances := []cluster.Instance{{Node: "a", Path: "greeter"}, {Node: "b", Path: "greeter"}, {Node: "c", Path: "greeter"}}
	once, _ := byName.Pick(Hello{Name: "Ada"}, instances)
	again, _ := byName.Pick(Hello{Name: "Ada"}, instances)
	fmt.Println(once == again)
	// Output: true
}
