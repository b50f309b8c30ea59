package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/settings"
)

// A node takes what is not said in code from a file, and follows it.
func ExampleFromSettings() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := dir + "/troupe.yaml"
	if err := os.WriteFile(file, []byte("name: ada\nlisten: 127.0.0.1:0\nservices: {orders: {balancer: round_robin, wait: true}}\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	live, err := settings.Load[cluster.Config](ctx,
		settings.File(file),
		settings.Map(map[string]any{"state_dir": dir})) // a program would have settings.Env and settings.Flags here
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()

	node, err := cluster.Join(ctx, cluster.FromSettings(live),
		cluster.WithCluster("examples"), // in code: nobody can set it
		cluster.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	fmt.Println(node.Name(), "of", node.Cluster())
	// Output: ada of examples
}

// A program has the settings of its node among its own.
func ExampleFromSettingsPart() {
	type Shop struct {
		Currency string `default:"EUR"`
		Cluster  cluster.Config
	}
	ctx := context.Background()
	live, err := settings.Load[Shop](ctx,
		settings.Map(map[string]any{"cluster.secret": "the secret of the examples"}),
		settings.Env("EXAMPLE_SHOP_")) // EXAMPLE_SHOP_CURRENCY, EXAMPLE_SHOP_CLUSTER_SECRET
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()

	node, err := cluster.Join(ctx,
		cluster.FromSettingsPart(live, func(s *Shop) *cluster.Config { return &s.Cluster }),
		cluster.WithName("ada"), cluster.WithListen("127.0.0.1:0"), cluster.WithDiscovery(),
		cluster.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	fmt.Println(node.Name(), "sells for", live.Get().Currency)
	// Output: ada sells for EUR
}
