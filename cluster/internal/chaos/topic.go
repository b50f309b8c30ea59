package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic"
)

// Said is what is published.
type Said struct{ Key, Value string }

// The groups, which get each event whatever happens.
const (
	groupA = "group-a"
	groupB = "group-b"
)

// drained is how long the groups may take to get what there is, when clients end.
const drained = time.Minute

func durable(n *cluster.Node) *topic.Topic[Said] {
	return topic.Of[Said](n, "said", topic.Durable(), topic.Partitions(4))
}

// topics publishes events, and handles them for all groups. When ctx ends, it goes on
// handling until there is nothing left to do, or its node has ended.
func (c *Client) topics(ctx context.Context, random *rand.Rand) {
	handling, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running sync.WaitGroup
	for _, group := range []string{groupA, groupB} {
		running.Go(func() { c.handle(handling, group) })
	}
	for n := 0; pause(ctx, random, 80*time.Millisecond); n++ {
		said := Said{Key: fmt.Sprint("said/", random.IntN(6)), Value: fmt.Sprintf("%s-%d", c.Run, n)}
		e := c.Recorder.Begin(Event{Node: c.Node.Name(), Kind: Publish, Key: said.Key, Value: said.Value})
		publishing, cancel := context.WithTimeout(ctx, timeout)
		err := durable(c.Node).Publish(publishing, said, topic.Key(said.Key))
		cancel()
		c.finish(e, err)
	}
	c.drain(handling)
	stop()
	running.Wait()
}

// handle handles the events of a group until ctx ends.
func (c *Client) handle(ctx context.Context, group string) {
	for ctx.Err() == nil && c.isUp() {
		subscribing, cancel := context.WithTimeout(ctx, timeout)
		sub, err := durable(c.Node).Subscribe(subscribing, func(_ context.Context, e topic.Event[Said]) error {
			c.finish(c.Recorder.Begin(Event{
				Node: c.Node.Name(), Kind: Handle, Key: e.Value.Key, Value: e.Value.Value,
				Got: group, Token: e.Offset, Attempt: e.Attempt,
			}), nil)
			return nil
		}, topic.Group(group), topic.Window(8))
		cancel()
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-sub.Done():
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		_ = sub.Stop(stopping) // where that takes too long, its events go to others all the same
		cancel()
	}
}

func (c *Client) isUp() bool {
	select {
	case <-c.Node.Done():
		return false
	default:
		return true
	}
}

// drain waits until the groups are done with all events.
func (c *Client) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drained)
	defer cancel()
	for ctx.Err() == nil && c.isUp() {
		asking, cancel := context.WithTimeout(ctx, timeout)
		info, err := durable(c.Node).Inspect(asking)
		cancel()
		if errors.Is(err, cluster.ErrLeft) {
			return
		}
		if err == nil && isDone(info) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func isDone(info topic.Info) bool {
	if len(info.Groups) < 2 {
		return false
	}
	for _, g := range info.Groups {
		if g.Lag > 0 {
			return false
		}
	}
	return true
}

// delivered makes sure that each group has got what was published with a key, in order:
// when it first gets an event, it has got the ones before. One delivery at most of an
// event claims to be the first.
func delivered(key string, history []Event) (deliveries int, err error) {
	published := map[string]bool{}
	for _, e := range history {
		if e.Kind == Publish && e.Outcome == Done {
			published[e.Value] = true
		}
	}
	byTime := slices.SortedStableFunc(slices.Values(history), func(a, b Event) int { return cmp.Compare(a.Began, b.Began) })
	for _, group := range []string{groupA, groupB} {
		values, offsets, firsts := map[string]uint64{}, map[uint64]string{}, map[uint64]bool{}
		latest := uint64(0)
		for _, e := range byTime {
			if e.Kind != Handle || e.Got != group {
				continue
			}
			deliveries++
			if e.Attempt == 1 && firsts[e.Token] {
				return deliveries, fmt.Errorf("%s: %s got event %d for the first time twice", key, group, e.Token)
			}
			firsts[e.Token] = firsts[e.Token] || e.Attempt == 1
			if offset, again := values[e.Value]; again && offset != e.Token || offsets[e.Token] != "" && offsets[e.Token] != e.Value {
				return deliveries, fmt.Errorf("%s: %s got %s as event %d and as %d, which is %s", key, group, e.Value, e.Token, offset, offsets[e.Token])
			} else if again {
				continue
			}
			values[e.Value], offsets[e.Token] = e.Token, e.Value
			if e.Token < latest {
				return deliveries, fmt.Errorf("%s: %s got event %d after event %d", key, group, e.Token, latest)
			}
			latest = e.Token
		}
		for value := range published {
			if values[value] == 0 {
				return deliveries, fmt.Errorf("%s: %s was published, and %s has not got it", key, value, group)
			}
		}
	}
	return deliveries, nil
}
