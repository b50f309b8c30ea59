package main

import (
	"context"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// houses is how many processes have rooms. None of the nodes uses the store that they
// have in common before there are so many.
const houses = 3

// keepHouse is the life of a process that has rooms.
func keepHouse(ctx context.Context, c *stage.Child) error {
	node, err := c.Join(ctx, cluster.WithExpect(houses))
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	if err := virtual.Serve(node, rooms(node.Store())); err != nil {
		return err
	}
	c.Ready()
	<-ctx.Done()
	return nil
}
