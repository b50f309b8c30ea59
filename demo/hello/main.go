// Hello is the first program to read. Start it in two terminals:
//
//	go run ./demo/hello
//
// Each process joins the cluster, serves a greeter, and greets the greeters of the
// others once a second. They find each other without a flag, a file or a server,
// and all that passes between them is encrypted. Ctrl-C ends it. With
// TROUPE_SECRET set, the same on each, it works across hosts.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/hello/greet"
)

func main() {
	limit := flag.Duration("for", 0, "end after this time (default: at Ctrl-C)")
	once := flag.Bool("once", false, "end once another process has answered; fail if none has in 10s, or -for")
	flag.Parse()
	if *once && *limit == 0 {
		*limit = 10 * time.Second
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *limit > 0 {
		ctx, stop = context.WithTimeout(ctx, *limit)
		defer stop()
	}
	if err := run(ctx, os.Stdout, *once); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

// run is a node's whole life: join, serve, greet, leave.
func run(ctx context.Context, out io.Writer, once bool) (err error) {
	node, err := cluster.Join(ctx) // finds its peers by itself
	if err != nil {
		return err
	}
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if left := node.Leave(leaving); err == nil {
			err = left
		}
		fmt.Fprintln(out, "Left the cluster.")
	}()
	if err := node.Serve(definition()); err != nil {
		return err
	}
	fmt.Fprintf(out, "I am %s, at %s. Start me again in another terminal; Ctrl-C ends me.\n", node.Name(), node.Address())
	return greetOthers(ctx, out, node, once)
}

// greetOthers asks one of the other greeters after the other, once a second, until
// ctx ends.
func greetOthers(ctx context.Context, out io.Writer, node *cluster.Node, once bool) error {
	greeters := cluster.Service[greet.Greeter](node, "greeter", cluster.WithBalancer(&others{self: node.Name()}))
	company := func() bool { return len(node.Instances("greeter")) > 1 }
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		if !company() {
			fmt.Fprintln(out, "Nobody else is here; waiting.")
		}
		if err := node.Await(ctx, company); err != nil {
			break
		}
		reply, err := ask(ctx, greeters, node.Name())
		switch {
		case err != nil && ctx.Err() == nil:
			fmt.Fprintln(out, "No answer:", err)
		case err == nil:
			fmt.Fprintln(out, reply.Text)
			if once {
				return nil
			}
		}
		if n%10 == 0 {
			fmt.Fprintln(out, "Telling a greeter to forget how often it has greeted.")
			if err := actor.Tell(greeters, greet.Forget{}); err != nil {
				fmt.Fprintln(out, "Not told:", err)
			}
		}
		select {
		case <-second.C:
		case <-ctx.Done():
		}
	}
	if once {
		return fmt.Errorf("no other process has answered")
	}
	return node.Err()
}

func ask(ctx context.Context, greeters actor.Ref[greet.Greeter], name string) (greet.Greeting, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return actor.Ask(ctx, greeters, greet.Hello{Name: name})
}
