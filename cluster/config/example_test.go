package config_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/config"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/security"
	"github.com/troupe-go/troupe/settings"
)

// joinHere joins a cluster of one. A program just calls cluster.Join(ctx).
func joinHere(ctx context.Context) (*cluster.Node, error) {
	secret, err := security.ParseSecret("the secret of the examples")
	if err != nil {
		return nil, err
	}
	return cluster.Join(ctx,
		cluster.WithCluster("examples"),
		cluster.WithName("ada"),
		cluster.WithSecret(secret),
		cluster.WithListen("127.0.0.1:0"),
		cluster.WithDiscovery(), // there is nobody to find
		cluster.WithLogger(slog.New(slog.DiscardHandler)),
		cluster.WithEnvironment(func(string) string { return "" }),
	)
}

// Settings are written once, and every node reads them from memory.
func Example() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	shared, err := config.Open(ctx, node, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shared.Close()
	changed := make(chan config.Version)
	err = shared.Watch(func(event any, err error) {
		if err == nil {
			changed <- event.(config.Version)
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := shared.Set(ctx, "http.timeout", "5s", config.By("alice"), config.Note("too slow")); err != nil {
		fmt.Println(err)
		return
	}
	v := <-changed
	values, _ := shared.Read()
	fmt.Printf("version %d by %s (%s): %v\n", v.Number, v.Author, v.Note, values)
	// Output: version 1 by alice (too slow): map[http:map[timeout:5s]]
}

// A service takes what the cluster shares as one of its sources, and follows it.
func ExampleOpen() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	shared, err := config.Open(ctx, node, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shared.Close()
	type Config struct {
		Listen  string        `default:":8080"`
		Timeout time.Duration `default:"1s"`
	}
	live, err := settings.Load[Config](ctx, settings.From("cluster", shared))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()
	changed := make(chan *Config)
	err = live.Watch(ctx, "timeout", func(_, now *Config) { changed <- now })
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := shared.Set(ctx, "timeout", 5*time.Second); err != nil { // on any node
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", *<-changed)
	// Output: {Listen::8080 Timeout:5s}
}

// A mistake is taken back: as a version of its own, so that nothing is forgotten.
func ExampleDocument_Rollback() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	shared, err := config.Open(ctx, node, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shared.Close()
	for _, rate := range []int{100, 0} {
		if _, err := shared.Set(ctx, "rate", rate, config.By("bob")); err != nil {
			fmt.Println(err)
			return
		}
	}
	if _, err := shared.Rollback(ctx, 1, config.By("alice")); err != nil {
		fmt.Println(err)
		return
	}
	history, err := shared.History(ctx, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range history {
		fmt.Printf("%d by %s: %v %q\n", v.Number, v.Author, v.Values, v.Note)
	}
	// Output:
	// 3 by alice: map[rate:100] "rolled back to version 1"
	// 2 by bob: map[rate:0] ""
	// 1 by bob: map[rate:100] ""
}

// Whoever edits a whole document says which version the edit is of.
func ExampleAt() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	shared, err := config.Open(ctx, node, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shared.Close()
	read, err := shared.Get(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := shared.Set(ctx, "rate", 50); err != nil { // somebody else, meanwhile
		fmt.Println(err)
		return
	}
	_, err = shared.Put(ctx, map[string]any{"rate": 100}, config.At(read.Revision))
	fmt.Println("changed meanwhile:", errors.Is(err, persistence.ErrConflict))
	// Output: changed meanwhile: true
}

// A broken edit is refused before it reaches anybody.
func ExampleCheck() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	shared, err := config.Open(ctx, node, "shop", config.Check(func(values map[string]any) error {
		if rate, ok := values["rate"].(int64); !ok || rate < 1 {
			return errors.New("rate must be a whole number above 0")
		}
		return nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shared.Close()
	_, err = shared.Set(ctx, "rate", 0)
	fmt.Println(err)
	// Output: invalid argument: config: document "shop" is left as it is: rate must be a whole number above 0
}
