package chaos

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/virtual"
)

// kind is that of the virtual actors.
const kind = "cell"

// Cell is the protocol of the virtual actors.
type Cell struct{}

// Touch is answered by the activation that got it.
type Touch struct {
	actor.Call[Cell, Touched]
}

// Touched says who answered.
type Touched struct {
	Activation string
	Epoch      uint64
	Count      int
}

// cell answers, and notes that it has.
type cell struct {
	client *Client
	name   string
	count  int
}

func (a *cell) touch(ctx *actor.Context, _ Touch) (Touched, error) {
	a.count++
	epoch := uint64(virtual.Epoch(ctx))
	c := a.client
	e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Answer, Key: kind + "/" + virtual.Key(ctx), Token: epoch, Got: a.name})
	c.finish(e, nil)
	return Touched{Activation: a.name, Epoch: epoch, Count: a.count}, nil
}

// Serve lets the node run virtual actors.
func (c *Client) Serve() error {
	return virtual.Serve(c.Node, actor.Define(kind, func() *cell {
		return &cell{client: c, name: c.Run + "-" + rand.Text()}
	}, actor.OnCall((*cell).touch)), virtual.Shards(16), virtual.IdleTimeout(5*time.Second))
}

// touches calls virtual actors.
func (c *Client) touches(ctx context.Context, random *mathrand.Rand) {
	for pause(ctx, random, 40*time.Millisecond) {
		key := strconv.Itoa(random.IntN(8))
		calling, cancel := context.WithTimeout(ctx, timeout)
		e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Call, Key: kind + "/" + key})
		reply, err := actor.Ask(calling, virtual.Ref[Cell](c.Node, kind, key), Touch{})
		cancel()
		e.Got, e.Token = reply.Activation, reply.Epoch
		c.finish(e, err)
	}
}
