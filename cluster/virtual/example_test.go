package virtual_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/security"
)

// Cart is the protocol of shopping carts: one for each customer.
type Cart struct{}

// Put is answered with what is in the cart then.
type Put struct {
	actor.Call[Cart, []string]
	Item string
}

type cart struct {
	items *persistence.State[[]string]
}

// Started loads what an earlier activation has saved, here or on another node.
func (c *cart) Started(ctx *actor.Context) error { return c.items.Load(ctx) }

func (c *cart) put(ctx *actor.Context, m Put) ([]string, error) {
	c.items.Save(ctx, append(c.items.Value(), m.Item))
	return c.items.Value(), nil
}

func carts(node *cluster.Node) actor.Definition[Cart] {
	return actor.Define("cart", func() *cart {
		return &cart{items: persistence.NewState[[]string](node.Store())}
	}, actor.OnCall((*cart).put))
}

// joinAlone joins a cluster of this process alone. A program just calls
// cluster.Join(ctx).
func joinAlone(ctx context.Context) (*cluster.Node, error) {
	secret, err := security.ParseSecret("the secret of the examples")
	if err != nil {
		return nil, err
	}
	return cluster.Join(ctx,
		cluster.WithName("shop"),
		cluster.WithSecret(secret),
		cluster.WithListen("127.0.0.1:0"),
		cluster.WithDiscovery(),
		cluster.WithLogger(slog.New(slog.DiscardHandler)),
		cluster.WithEnvironment(func(string) string { return "" }),
	)
}

// All nodes run the same program, and only those of the warehouse keep carts.
func ExampleOnRole() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node, err := joinAlone(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	roles := []string{"warehouse"} // from the configuration of this node
	if err := virtual.Serve(node, carts(node), virtual.OnRole("warehouse"), virtual.Roles(roles...)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(actor.Ask(ctx, virtual.Ref[Cart](node, "cart", "ada"), Put{Item: "tea"}))
	// Output:
	// [tea] <nil>
}

// Every customer has a cart, whose content outlives its activations.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node, err := joinAlone(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	if err := virtual.Serve(node, carts(node)); err != nil {
		fmt.Println(err)
		return
	}
	ada := virtual.Ref[Cart](node, "cart", "ada")
	for _, item := range []string{"tea", "milk"} {
		items, err := actor.Ask(ctx, ada, Put{Item: item})
		fmt.Println(items, err)
	}
	// Output:
	// [tea] <nil>
	// [tea milk] <nil>
}
