package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// Client is what each node does while faults happen.
type Client struct {
	Node     *cluster.Node
	Recorder *Recorder
	Resource Resource
	Seed     uint64
	// Run names the run of the process: no two have the same.
	Run string

	over func() bool // whether Work has been told to end
}

// timeout is how long one operation may take.
const timeout = 3 * time.Second

// Work lets all kinds of clients work until ctx ends, and the groups of the durable topic
// then get what is left. Serve comes first.
func (c *Client) Work(ctx context.Context) {
	c.over = func() bool { return ctx.Err() != nil }
	var running sync.WaitGroup
	for i, work := range []func(context.Context, *rand.Rand){c.registers, c.registers, c.counter, c.locks, c.campaigns, c.touches, c.topics} {
		random := rand.New(rand.NewPCG(c.Seed, uint64(i)))
		running.Go(func() { work(ctx, random) })
	}
	running.Wait()
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// newRandom returns a source of its own for everything that has a seed.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 77)) }

// pause waits a moment; it is false if ctx has ended.
func pause(ctx context.Context, random *rand.Rand, most time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(random.Int64N(int64(most)))):
		return true
	}
}

// Keys change every few seconds: what is unknown of one makes judging it harder. There are
// some at a time.
const (
	keyPeriod = 5 // seconds
	keysOnce  = 2
)

func key(kind string, random *rand.Rand) string {
	return keyOf(kind, time.Now().Unix()/keyPeriod, random.IntN(keysOnce))
}

func keyOf(kind string, period int64, n int) string {
	return fmt.Sprintf("%s-%d-%d", kind, period, n)
}

// Audit reads every record that clients may have written since a time, and tries until
// it can. Nobody reads most of them otherwise once a few seconds are over, and a write
// that is lost later would not show in the history.
func (c *Client) Audit(ctx context.Context, since time.Time) error {
	for period := since.Unix() / keyPeriod; period <= time.Now().Unix()/keyPeriod; period++ {
		for _, kind := range []string{"register", "counter"} {
			for n := range keysOnce {
				if err := c.reread(ctx, keyOf(kind, period, n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *Client) reread(ctx context.Context, key string) error {
	for {
		e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Get, Key: key})
		reading, cancel := context.WithTimeout(ctx, timeout)
		r, err := c.Node.Store().Get(reading, key)
		cancel()
		if err == nil || errors.Is(err, persistence.ErrNotFound) {
			e.Got, e.Outcome = string(r.Value), Done
			c.Recorder.End(e)
			return nil
		}
		e.Outcome, e.Error = Unknown, err.Error()
		c.Recorder.End(e)
		if ctx.Err() != nil {
			return err
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

func (c *Client) finish(e *Event, err error) {
	var failure *actor.Error
	switch {
	case err == nil:
		e.Outcome = Done
	case errors.Is(err, persistence.ErrConflict):
		e.Outcome = Refused
	case errors.As(err, &failure) && failure.NotRun:
		e.Outcome = Not
	default:
		e.Outcome = Unknown
	}
	c.end(e, err)
}

// end notes that an operation has ended, with an outcome that is known.
func (c *Client) end(e *Event, err error) {
	if err != nil {
		e.Error = err.Error()
		if !errors.Is(err, persistence.ErrConflict) && !c.over() {
			e.Failed = actor.CodeOf(err).String()
		}
	}
	c.Recorder.End(e)
}

// registers reads, writes and swaps values, each of which is unique.
func (c *Client) registers(ctx context.Context, random *rand.Rand) {
	s := c.Node.Store()
	for n := 0; pause(ctx, random, 40*time.Millisecond); n++ {
		key := key("register", random)
		value := fmt.Sprintf("%s-%d-%d", c.Run, n, random.Uint32())
		func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			switch random.IntN(4) {
			case 0:
				e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Put, Key: key, Value: value})
				_, err := persistence.Put(ctx, s, key, []byte(value))
				c.finish(e, err)
			case 1, 2:
				c.read(ctx, key)
			case 3:
				r, err := c.read(ctx, key)
				if err != nil {
					return
				}
				e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Swap, Key: key, Expect: string(r.Value), Value: value})
				_, err = persistence.CompareAndSwap(ctx, s, key, r.Revision, []byte(value))
				c.finish(e, err)
			}
		}()
	}
}

// read returns no record and no error if there is none.
func (c *Client) read(ctx context.Context, key string) (persistence.Record, error) {
	e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Get, Key: key})
	r, err := c.Node.Store().Get(ctx, key)
	if errors.Is(err, persistence.ErrNotFound) {
		err = nil
	}
	e.Got = string(r.Value)
	c.finish(e, err)
	return r, err
}

// counter adds one, by reading and swapping until that succeeds.
func (c *Client) counter(ctx context.Context, random *rand.Rand) {
	for pause(ctx, random, 60*time.Millisecond) {
		key := key("counter", random)
		func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Add, Key: key})
			for {
				r, err := c.Node.Store().Get(ctx, key)
				if err != nil && !errors.Is(err, persistence.ErrNotFound) {
					e.Outcome = Not // nothing was written
					c.end(e, err)
					return
				}
				n, _ := strconv.Atoi(string(r.Value)) // 0 if there is none
				_, err = persistence.CompareAndSwap(ctx, c.Node.Store(), key, r.Revision, []byte(strconv.Itoa(n+1)))
				if errors.Is(err, persistence.ErrConflict) {
					continue
				}
				e.Got = strconv.Itoa(n)
				c.finish(e, err)
				return
			}
		}()
	}
}
