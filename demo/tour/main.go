package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"
)

// longest is how long a whole tour may take before it counts as stuck.
const longest = 3 * time.Minute

func main() {
	if name := os.Getenv(nodeEnv); name != "" {
		if err := live(name); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		return
	}
	verbose := flag.Bool("v", false, "show the nodes' logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	r := &report{out: os.Stdout, colour: isTerminal(os.Stdout)}
	s := size{calls: 50_000, casts: 100_000, lead: time.Second}
	if err := take(ctx, r, s, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

// isTerminal reports whether f is one that shows colours.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 &&
		runtime.GOOS != "windows" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
