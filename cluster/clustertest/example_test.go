package clustertest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

// A stream survives a partition, and what was sent meanwhile arrives.
func ExampleNetwork_Partition() {
	ctx := context.Background()
	network := clustertest.NewNetwork(1)
	defer network.Close()
	alice, bob := network.Host("alice"), network.Host("bob")

	listener, _, err := bob.Listen(ctx, ":7000")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := alice.Dial(ctx, listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := listener.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}

	network.Partition([]string{"alice"}, []string{"bob"})
	fmt.Fprint(client, "hello")

	b := make([]byte, 10)
	server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err = server.Read(b)
	fmt.Println("arrived while the network is partitioned:", err == nil)

	network.Heal()
	server.SetReadDeadline(time.Time{})
	n, _ := server.Read(b)
	fmt.Printf("healed: %s\n", b[:n])
	// Output:
	// arrived while the network is partitioned: false
	// healed: hello
}
