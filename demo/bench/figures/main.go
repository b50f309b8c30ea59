//go:build unix

// Figures measures what a cluster of real processes promises, at two commits in one run:
//
//	cd demo/bench && go run ./figures                       # everything; some 15 minutes
//	cd demo/bench && go run ./figures -short                # some 3 minutes, less sure
//	cd demo/bench && go run ./figures -head HEAD~3 restart disk
//
// It builds one program, the probe beside it, in a worktree of each commit, keeps that in
// the user's cache, and takes turns with both. One commit is measured alone if it is both.
// As root on Linux, with ip and iptables, each node runs on a host of its own, in a
// network namespace; elsewhere all run on the loopback interface, and what needs a network
// to harm is left out, and said to be.
//
// Times depend on the machine, ratios less so. What is wanted stands beside each figure,
// and what head does not reach has a mark; the program then ends with 1. With -keep the
// files of the nodes and their logs stay.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// firstBase is the commit that the figures are compared with unless the user says another.
const firstBase = "add86b7"

func main() {
	base := flag.String("base", firstBase, "the commit to compare with")
	head := flag.String("head", "HEAD", "the commit to measure")
	short := flag.Bool("short", false, "measure less")
	keep := flag.Bool("keep", false, "leave the files of the nodes, and their logs")
	limit := flag.Duration("limit", 40*time.Minute, "the longest that all may take")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: figures [flags] [figure...]\n\nThe figures:")
		for _, f := range figures() {
			fmt.Fprintf(flag.CommandLine.Output(), "  %-10s %s\n", f.name, f.about)
		}
		fmt.Fprintln(flag.CommandLine.Output(), "\nThe flags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	missed, err := run(ctx, *base, *head, *short, *keep, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
	}
	if err != nil || missed > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, base, head string, short, keep bool, names []string) (missed int, err error) {
	chosen := figures()
	if len(names) > 0 {
		for _, name := range names {
			if !slices.ContainsFunc(chosen, func(f figure) bool { return f.name == name }) {
				return 0, fmt.Errorf("there is no figure %q: see figures -h", name)
			}
		}
		chosen = slices.DeleteFunc(chosen, func(f figure) bool { return !slices.Contains(names, f.name) })
	}
	dir, err := os.MkdirTemp("", "figures")
	if err != nil {
		return 0, err
	}
	if keep {
		fmt.Fprintln(os.Stderr, "files stay in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	var builds [2]*build
	for i, revision := range []string{base, head} {
		if builds[i], err = newBuild(ctx, revision); err != nil {
			return 0, err
		}
	}
	fmt.Printf("base %s, head %s; %d cores of %s\n", builds[0], builds[1], runtime.NumCPU(), processor())
	if why := missingForNamespaces(); why != "" {
		fmt.Printf("NOT ON NETWORKS OF THEIR OWN, since that needs %s: what harms the network is left out.\n", why)
	}
	t := newTable(os.Stdout)
	var failed []string
	for _, f := range chosen {
		start := time.Now()
		s := &series{short: short, dir: dir}
		for round := range s.pick(f.rounds[0], f.rounds[1]) {
			for i, b := range builds {
				if i == 0 && *b == *builds[1] {
					continue
				}
				s.round, s.column = round, i
				if err := f.measure(ctx, s, b); ctx.Err() != nil {
					return t.missed, fmt.Errorf("%s was not measured to its end: %w", f.name, ctx.Err())
				} else if err != nil {
					failed = append(failed, f.name)
					fmt.Fprintf(os.Stderr, "figures: %s at %s, round %d: %v\n", f.name, b, round, err)
				}
			}
		}
		t.add(f, s, time.Since(start))
	}
	if t.missed > 0 {
		fmt.Printf("\n%d figures of head are not what is wanted.\n", t.missed)
	}
	if len(failed) > 0 {
		return t.missed, fmt.Errorf("not measured to their ends: %s", strings.Join(slices.Compact(failed), ", "))
	}
	return t.missed, nil
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "an unknown processor"
}
