package topic

import "github.com/troupe-go/troupe/actor"

// SubscribeOption changes a new subscription.
type SubscribeOption interface{ applySubscribe(*subscribing) }

type subscribeOption func(*subscribing)

func (f subscribeOption) applySubscribe(c *subscribing) { f(c) }

// subscribing is what the options of one subscription amount to.
type subscribing struct {
	group   string
	grouped bool
	buffer  int
}

// DefaultBuffer is how many events may wait for a subscription without [Buffer].
const DefaultBuffer = 8192

// Group makes the subscription a member of a group: of all its members in the cluster
// whose topics match, one gets each event, each in its turn. A group is known by its name
// alone, of 1 to 256 letters, digits and -_~:+=.
func Group(name string) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.group, c.grouped = name, true })
}

// Buffer sets how many events may wait for the subscription, at least 1, beside the one
// it handles. What comes when there are as many is lost to it. The default is
// [DefaultBuffer].
func Buffer(events int) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.buffer = events })
}

func newSubscribing(options []SubscribeOption) (subscribing, error) {
	c := subscribing{buffer: DefaultBuffer}
	for _, o := range options {
		o.applySubscribe(&c)
	}
	if c.buffer < 1 {
		return c, refusal(actor.InvalidArgument, "a buffer for %d events: choose at least 1", c.buffer)
	}
	if c.grouped {
		return c, checkGroup(c.group)
	}
	return c, nil
}
