package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/chaos"
	"github.com/troupe-go/troupe/persistence"
)

// tormented is the clients of a child.
type tormented struct {
	mu     sync.Mutex
	client *chaos.Client
	stop   func() error
}

func (w *tormented) start(c *child, file, resource, run, seed string) error {
	number, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	client := &chaos.Client{Node: c.node.Load(), Recorder: chaos.NewRecorder(run, out), Resource: remoteResource(resource), Seed: number, Run: run}
	if err := client.Serve(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Work(ctx)
	}()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.client = client
	w.stop = func() error {
		cancel()
		<-done
		if err := client.Recorder.Err(); err != nil {
			return err
		}
		return out.Close()
	}
	return nil
}

// audit reads what all clients have written since then, in seconds since 1970.
func (w *tormented) audit(ctx context.Context, since string) error {
	seconds, err := strconv.ParseInt(since, 10, 64)
	if err != nil {
		return err
	}
	w.mu.Lock()
	client := w.client
	w.mu.Unlock()
	return client.Audit(ctx, time.Unix(seconds, 0))
}

// write writes a record, and goes on trying until that succeeds.
func (c *child) write(ctx context.Context) error {
	for {
		_, err := persistence.Put(ctx, c.node.Load().Store(), "recovered/"+c.node.Load().Name(), nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// awaitVoters waits until the replicated store has so many voters.
func (c *child) awaitVoters(ctx context.Context, count string) error {
	for {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		status, err := c.node.Load().Store().Status(asking)
		cancel()
		if err == nil && strconv.Itoa(len(status.Voters)) == count {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the voters are %v: %w", status.Voters, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// remoteResource is the socket of the parent's resource: a file, which is there in all
// namespaces of the network.
type remoteResource string

// Write implements chaos.Resource. What the parent does not answer it has not taken.
func (r remoteResource) Write(key string, token uint64) bool {
	conn, err := net.Dial("unix", string(r))
	if err != nil {
		return true // the test is over
	}
	defer conn.Close()
	fmt.Fprintln(conn, key, token)
	answer := make([]byte, 1)
	_, err = conn.Read(answer)
	return err != nil || answer[0] == '1'
}

// serveResource answers those who write to it, one at a time, until l is closed.
func serveResource(l net.Listener) {
	var resource chaos.MemoryResource
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() { // a writer may have been stopped
			defer conn.Close()
			var key string
			var token uint64
			if _, err := fmt.Fscanln(conn, &key, &token); err != nil {
				return
			}
			answer := "0"
			if resource.Write(key, token) {
				answer = "1"
			}
			_, _ = conn.Write([]byte(answer)) // it may have been killed
		}()
	}
}
