package cluster_test

import (
	"context"
	"fmt"
	"io"

	"github.com/troupe-go/troupe/cluster"
)

func ExampleIPNetwork() {
	ctx := context.Background()
	var network cluster.IPNetwork
	listener, packets, err := network.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer packets.Close()
	defer listener.Close()

	client, err := network.Dial(ctx, listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(client, "hello")
	client.Close()

	server, err := listener.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	greeting, _ := io.ReadAll(server)
	fmt.Printf("%s, on the same port for packets: %v\n", greeting,
		packets.LocalAddr().String() == listener.Addr().String())
	// Output: hello, on the same port for packets: true
}
