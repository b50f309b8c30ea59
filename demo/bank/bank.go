package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/demo/internal/stage"
	"github.com/troupe-go/troupe/persistence/badger"
)

// accounts is how many there are.
const accounts = 16

func accountName(i int) string { return fmt.Sprintf("account-%02d", i) }

// keepBank is the life of the bank's process.
func keepBank(ctx context.Context, c *stage.Child) error {
	store, err := badger.Open(ctx, badger.Config{Dir: filepath.Join(c.Dir, "store"), Logger: c.Logger()})
	if err != nil {
		return err
	}
	defer store.Close()
	node, err := c.Join(ctx)
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	definitions := make([]actor.Spawnable, accounts)
	for i := range definitions {
		definitions[i] = accountIn(store, accountName(i))
	}
	if err := node.Serve(definitions...); err != nil {
		return err
	}
	c.Ready()
	<-ctx.Done()
	return nil
}
