package security_test

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/troupe-go/troupe/security"
)

// Two nodes that share a secret, and nothing else, know each other.
func Example() {
	node := func(name string) *security.Identity {
		secret, err := security.ParseSecret("0f1d6bc3a9184d7c95e1f3a2b7c4d8e6")
		if err != nil {
			panic(err)
		}
		credentials, err := security.Derive(secret, "lab")
		if err != nil {
			panic(err)
		}
		identity, err := credentials.Identity(name)
		if err != nil {
			panic(err)
		}
		return identity
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", node("alice").ServerTLS("greeting"))
	if err != nil {
		panic(err)
	}
	defer listener.Close()

	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		tlsConn := conn.(*tls.Conn)
		if err := tlsConn.Handshake(); err != nil {
			fmt.Println("refused:", err)
			return
		}
		peer, err := security.PeerOf(tlsConn.ConnectionState())
		fmt.Println("alice sees", peer, err)
	}()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	err = tls.Client(conn, node("bob").ClientTLS("alice", "greeting")).Handshake()
	fmt.Println("bob has reached alice:", err == nil)
	<-served

	// Unordered output:
	// bob has reached alice: true
	// alice sees spiffe://lab/node/bob <nil>
}

func ExampleSecret() {
	secret, err := security.ParseSecret("0f1d6bc3a9184d7c95e1f3a2b7c4d8e6")
	fmt.Println(secret, err)

	_, err = security.ParseSecret("hunter2")
	fmt.Println(err)
	// Output:
	// REDACTED <nil>
	// security: unusable secret: it has 7 characters and needs at least 16: make one with 'openssl rand -hex 32'
}
