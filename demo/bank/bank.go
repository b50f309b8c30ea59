package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence/badger"
)

// accounts is how many there are.
const accounts = 16

func accountName(i int) string { return fmt.Sprintf("account-%02d", i) }

// How the bank's process is told what it is.
const (
	dirEnv     = "BANK_DIR"
	verboseEnv = "BANK_VERBOSE"

	openLine = "open" // what it writes when it serves its accounts
)

// keepBank is the life of the bank's process. It ends with its standard input.
func keepBank(dir string) error {
	signal.Ignore(os.Interrupt) // Ctrl-C is for the customers, who send us home
	ctx := context.Background()
	log := newLogger(os.Getenv(verboseEnv) != "")
	store, err := badger.Open(ctx, badger.Config{Dir: filepath.Join(dir, "store"), Logger: log})
	if err != nil {
		return err
	}
	defer store.Close()
	node, err := join(ctx, dir, "bank", log)
	if err != nil {
		return err
	}
	defer leave(node)
	definitions := make([]actor.Spawnable, accounts)
	for i := range definitions {
		definitions[i] = accountIn(store, accountName(i))
	}
	if err := node.Serve(definitions...); err != nil {
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
