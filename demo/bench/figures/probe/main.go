//go:build unix

// Command probe is what the figures are measured at: a node of a cluster, or a store on
// one. The program figures builds it from each commit that it compares, so it uses only
// what the first of them has.
//
// Each line of its standard input is a tag, a command and arguments; when the command is
// done it writes the tag, "ok" or "error", and the result as JSON. On SIGTERM it leaves.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "burn" {
		burn(ctx)
		return
	}
	p := &probe{}
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.serve(ctx, os.Stdin, os.Stdout)
		stop() // who gave the commands is gone
	}()
	<-ctx.Done()
	if err := p.close(); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// burn keeps all cores busy until ctx ends.
func burn(ctx context.Context) {
	for x := 0; ctx.Err() == nil; x++ {
		for range 1 << 16 {
			x += x >> 1
		}
	}
}

// serve does what in says until it ends. Commands run at the same time.
func (p *probe) serve(ctx context.Context, in io.Reader, out io.Writer) {
	var writing sync.Mutex
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		go func() {
			kind := "ok"
			result, err := p.do(ctx, words[1], words[2:])
			if err != nil {
				kind, result = "error", err.Error()
			}
			text, err := json.Marshal(result)
			if err != nil {
				kind, text = "error", []byte(`"the result does not encode"`)
			}
			writing.Lock()
			defer writing.Unlock()
			fmt.Fprintln(out, words[0], kind, string(text))
		}()
	}
}
