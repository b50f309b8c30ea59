package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
)

// How the process of a house is told what it is.
const (
	dirEnv     = "CHAT_DIR"
	nameEnv    = "CHAT_NAME"
	verboseEnv = "CHAT_VERBOSE"

	openLine = "open" // what it writes when rooms may run in it
)

// houses is how many processes have rooms.
const houses = 3

// keepHouse is the life of a process that has rooms. It ends with its standard input.
func keepHouse(dir, name string) error {
	signal.Ignore(os.Interrupt) // Ctrl-C is for the people, who send us home
	ctx := context.Background()
	node, err := join(ctx, dir, name, newLogger(os.Getenv(verboseEnv) != ""))
	if err != nil {
		return err
	}
	defer leave(node)
	if err := virtual.Serve(node, rooms(node.Store())); err != nil {
		return err
	}
	fmt.Println(openLine)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// join makes this process a node of a cluster that only those in dir know.
func join(ctx context.Context, dir, name string, log *slog.Logger) (*cluster.Node, error) {
	return cluster.Join(ctx,
		cluster.WithName(name),
		cluster.WithStateDir(dir),
		cluster.WithExpect(houses),
		cluster.WithLogger(log),
		cluster.WithEnvironment(func(string) string { return "" }))
}

func leave(node *cluster.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = node.Leave(ctx) // the process ends anyway
}

func newLogger(verbose bool) *slog.Logger {
	if verbose {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}
