package cluster_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/troupe-go/troupe/persistence"
)

// A cluster is lost, and a new one gets its store back.
func ExampleStore_Restore() {
	ctx := context.Background()
	node, err := joinHere(ctx, "lost")
	if err != nil {
		fmt.Println(err)
		return
	}
	var backup bytes.Buffer // a file, usually
	revision, err := persistence.Put(ctx, node.Store(), "price", []byte("17"))
	fmt.Println("written:", err)
	fmt.Println("backed up:", node.Store().Backup(ctx, &backup))
	fmt.Println("left:", node.Leave(ctx))

	node, err = joinHere(ctx, "new")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	fmt.Println("restored:", node.Store().Restore(ctx, &backup))
	price, err := node.Store().Get(ctx, "price")
	fmt.Println(string(price.Value), price.Revision == revision, err)
	next, err := persistence.Put(ctx, node.Store(), "price", []byte("18"))
	fmt.Println("later revisions are larger:", next > revision, err)
	// Output:
	// written: <nil>
	// backed up: <nil>
	// left: <nil>
	// restored: <nil>
	// 17 true <nil>
	// later revisions are larger: true <nil>
}

// Who keeps the store.
func ExampleStore_Status() {
	ctx := context.Background()
	node, err := joinHere(ctx, "alone")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)
	if _, err := persistence.Put(ctx, node.Store(), "price", []byte("17")); err != nil {
		fmt.Println(err)
		return
	}
	status, err := node.Store().Status(ctx)
	fmt.Println(status.Quorum, status.Leader, status.Voters, status.Standbys, err)
	// Output: true alone [alone] [] <nil>
}
