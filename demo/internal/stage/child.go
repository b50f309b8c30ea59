package stage

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/cluster"
)

// How a process is told what it is.
const (
	nameEnv    = "STAGE_PROCESS"
	dirEnv     = "STAGE_DIR"
	verboseEnv = "STAGE_VERBOSE"
)

const readyLine = "ready"

// Child is a process that [Stage.Start] has started, as it sees itself. Its methods
// may be called concurrently.
type Child struct {
	Place
	Name string

	// Cues are the lines that [Process.Cue] has sent. One that comes before the last
	// was received is dropped.
	Cues <-chan string

	cues   chan<- string
	saying sync.Mutex
}

func newChild(name string, place Place) *Child {
	cues := make(chan string, 1)
	return &Child{Place: place, Name: name, Cues: cues, cues: cues}
}

// Join makes this process a node with its own name, as [Stage.Join] does.
func (c *Child) Join(ctx context.Context, options ...cluster.Option) (*cluster.Node, error) {
	return c.join(ctx, c.Name, options)
}

// Ready lets [Process.Ready] return.
func (c *Child) Ready() { c.Say(readyLine) }

// Say tells the stage something, for [Process.Said]. Neither what nor the words may
// contain line breaks, and what may contain no space.
func (c *Child) Say(what string, words ...string) {
	c.saying.Lock()
	defer c.saying.Unlock()
	fmt.Fprintln(os.Stdout, strings.Join(append([]string{what}, words...), " "))
}

// listen passes cues on until the stage, or the process of the stage, closes r.
func (c *Child) listen(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		select {
		case c.cues <- lines.Text():
		default:
		}
	}
}
