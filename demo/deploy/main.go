package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
)

// How long the end may take. Whoever ends the process must give it more than both
// together, before it kills it: terminationGracePeriodSeconds, or TimeoutStopSec.
const (
	answerTimeout = 6 * time.Second // for what was asked by HTTP, each of which has askTimeout
	leaveTimeout  = 25 * time.Second
)

func main() {
	address, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, address, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

// parse returns what the arguments say.
func parse(arguments []string) (address string, err error) {
	flags := flag.NewFlagSet("deploy", flag.ContinueOnError)
	flags.StringVar(&address, "http", "127.0.0.1:0", "where to answer HTTP, `host:port`; port 0 is any free one")
	return address, flags.Parse(arguments)
}

// run is the life of a node: join, serve, answer until ctx ends, leave.
func run(ctx context.Context, address string, out io.Writer) (err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer listener.Close()
	node, err := cluster.Join(ctx) // all that it needs to know is in the environment
	if err != nil {
		return err
	}
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		defer cancel()
		err = errors.Join(err, node.Leave(leaving))
	}()
	if err := errors.Join(node.Serve(greeters()), virtual.Serve(node, guests())); err != nil {
		return err
	}
	fmt.Fprintf(out, "I am %s; see http://%s/ready\n", node.Name(), listener.Addr())
	return answer(ctx, node, listener)
}

// answer answers HTTP until ctx ends, or the node has left by itself.
func answer(ctx context.Context, node *cluster.Node, listener net.Listener) error {
	server := &http.Server{Handler: handler(node), ReadHeaderTimeout: answerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case <-ctx.Done():
	case <-node.Done():
		err = node.Err()
	case err := <-failed:
		return err
	}
	answering, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	err = errors.Join(err, server.Shutdown(answering))
	<-failed // it is http.ErrServerClosed
	return err
}
