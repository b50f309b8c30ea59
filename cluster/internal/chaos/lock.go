package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/lock"
)

// Resource is what locks protect: it takes a write only if it has not seen a higher
// token.
type Resource interface {
	Write(key string, token uint64) (taken bool)
}

// MemoryResource is a Resource for clients in one process.
type MemoryResource struct {
	mu      sync.Mutex
	highest map[string]uint64
}

// Write implements Resource.
func (r *MemoryResource) Write(key string, token uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.highest == nil {
		r.highest = map[string]uint64{}
	}
	if token < r.highest[key] {
		return false
	}
	r.highest[key] = token
	return true
}

// held is a lock or leadership, once it is held.
type held struct {
	token   uint64
	err     func() error
	lost    <-chan struct{}
	release func(context.Context) error
}

// locks acquires a lock, writes to the resource for a while, and releases it.
func (c *Client) locks(ctx context.Context, random *rand.Rand) {
	c.holdAgain(ctx, random, Acquire, End, func(ctx context.Context, key string) (held, error) {
		l, err := lock.Acquire(ctx, c.Node, key)
		if err != nil {
			return held{}, err
		}
		return held{l.Token(), l.Err, l.Lost(), l.Release}, nil
	})
}

// campaigns does the same with leadership.
func (c *Client) campaigns(ctx context.Context, random *rand.Rand) {
	c.holdAgain(ctx, random, Lead, Resign, func(ctx context.Context, key string) (held, error) {
		l, err := lock.Campaign(ctx, c.Node, key, c.Node.Name())
		if err != nil {
			return held{}, err
		}
		return held{l.Term(), l.Err, l.Lost(), l.Resign}, nil
	})
}

func (c *Client) holdAgain(ctx context.Context, random *rand.Rand, begin, end Kind, acquire func(context.Context, string) (held, error)) {
	for pause(ctx, random, 200*time.Millisecond) {
		key := string(begin) + "-" + string(rune('a'+random.IntN(2)))
		c.hold(ctx, random, key, begin, end, acquire)
	}
}

func (c *Client) hold(ctx context.Context, random *rand.Rand, key string, begin, end Kind, acquire func(context.Context, string) (held, error)) {
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: begin, Key: key})
	h, err := acquire(waiting, key)
	e.Token = h.token
	c.finish(e, err)
	if err != nil {
		return
	}
	// If this process is killed, the end is at any time from here on.
	over := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: end, Key: key, Token: h.token})
	for range random.IntN(20) {
		now := time.Now().UnixNano()
		if h.err() != nil {
			break
		}
		over.Began = now // it was held then
		c.write(key, h)
		select {
		case <-h.lost:
		case <-time.After(time.Duration(random.Int64N(int64(20 * time.Millisecond)))):
		}
	}
	now := time.Now().UnixNano()
	if h.err() == nil {
		over.Began = now
	}
	giving, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	c.finish(over, h.release(giving))
}

// write is refused only if the lock is lost.
func (c *Client) write(key string, h held) {
	e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Write, Key: key, Token: h.token})
	var err error
	if !c.Resource.Write(key, h.token) {
		err = &actor.Error{Code: actor.FailedPrecondition, Message: "the token is too low", NotRun: true}
		if h.err() == nil {
			err = &actor.Error{Code: actor.DataLoss, Message: refusedHolder}
		}
	}
	c.finish(e, err)
}

const refusedHolder = "a holder was refused"
