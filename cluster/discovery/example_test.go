package discovery_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/troupe-go/troupe/cluster/discovery"
)

func Example() {
	ctx := context.Background()
	temp, err := os.MkdirTemp("", "troupe")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(temp)
	dir := filepath.Join(temp, "run")

	ada, bob := discovery.Local(dir), discovery.Local(dir)
	if err := ada.Announce(ctx, "stage", "ada", "127.0.0.1:7000"); err != nil {
		fmt.Println(err)
		return
	}
	defer ada.Withdraw(ctx)
	fmt.Println(bob.Find(ctx, "stage"))
	fmt.Println(ada.Find(ctx, "stage"))
	// Output:
	// [127.0.0.1:7000] <nil>
	// [] <nil>
}

func ExampleClaimSlot() {
	ctx := context.Background()
	temp, err := os.MkdirTemp("", "troupe")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(temp)

	for range 2 {
		slot, err := discovery.ClaimSlot(ctx, filepath.Join(temp, "run"), "stage", "web")
		if err != nil {
			fmt.Println(err)
			return
		}
		defer slot.Release()
		fmt.Println(slot.Name())
	}
	// Output:
	// web-0
	// web-1
}

func ExampleStatic() {
	seeds := discovery.Static("192.0.2.1:7000", "192.0.2.2:7000")
	fmt.Println(seeds.Find(context.Background(), "stage"))
	// Output: [192.0.2.1:7000 192.0.2.2:7000] <nil>
}
