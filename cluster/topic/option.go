package topic

import (
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Option changes what [Of] returns.
type Option interface{ applyTopic(*topicOptions) }

type topicOption func(*topicOptions)

func (f topicOption) applyTopic(c *topicOptions) { f(c) }

// topicOptions are what the options of one topic amount to.
type topicOptions struct {
	durable  bool
	given    bool // an option that only durable topics have
	settings settings
}

// Durable makes the topic a durable one: its events are kept in the replicated store, and
// each group gets every one of them. A live topic of the same name is another topic.
func Durable() Option { return topicOption(func(c *topicOptions) { c.durable = true }) }

// Partitions sets how many logs a durable topic has, 1 to 256. Events with the same [Key]
// are in the same one, and in order; different ones are kept by different nodes, if there
// are several. The default is 1. It cannot be changed later.
func Partitions(n int) Option {
	return topicOption(func(c *topicOptions) { c.given, c.settings.Partitions = true, n })
}

// Retain sets how much a durable topic keeps. The default is 256 MiB in each partition,
// where nothing goes that a group has yet to get. It cannot be changed later.
func Retain(l Limits) Option {
	return topicOption(func(c *topicOptions) { c.given, c.settings.Limits = true, l })
}

func newTopicOptions(options []Option) (topicOptions, error) {
	c := topicOptions{settings: settings{Partitions: 1, Limits: Limits{Bytes: defaultBytes}}}
	for _, o := range options {
		o.applyTopic(&c)
	}
	if c.given && !c.durable {
		return c, refusal(actor.InvalidArgument, "Partitions and Retain are for durable topics: add Durable()")
	}
	return c, c.settings.validate()
}

// PublishOption changes one [Topic.Publish].
type PublishOption interface{ applyPublish(*publishing) }

type publishOption func(*publishing)

func (f publishOption) applyPublish(c *publishing) { f(c) }

// publishing is what the options of one Publish amount to.
type publishing struct{ key, id string }

// Key says what the event is about. A group gets the events of a durable topic that have
// the same key one after the other, in the order in which they were published; those
// without one do not wait for each other. It has up to 1 KiB.
func Key(key string) PublishOption { return publishOption(func(c *publishing) { c.key = key }) }

// ID makes an event of a durable topic one, however often it is published with that ID
// and the same key: for 10 minutes, and while its partition gets 100,000 others, divided
// by the number of partitions. It has up to 1 KiB.
func ID(id string) PublishOption { return publishOption(func(c *publishing) { c.id = id }) }

// SubscribeOption changes a new subscription.
type SubscribeOption interface{ applySubscribe(*subscribing) }

type subscribeOption func(*subscribing)

func (f subscribeOption) applySubscribe(c *subscribing) { f(c) }

// subscribing is what the options of one subscription amount to.
type subscribing struct {
	group   string
	grouped bool

	live   bool // an option that only live topics have
	buffer int

	durable     bool // an option that only durable topics have
	from        Position
	window      int
	ackDeadline time.Duration
	maxAttempts int
}

// What a subscription has without the options of the same names.
const (
	DefaultBuffer      = 8192
	DefaultWindow      = 64
	DefaultAckDeadline = 30 * time.Second
	DefaultMaxAttempts = 10
)

// Group makes the subscription a member of a group: of all its members in the cluster
// whose topics match, one gets each event, each in its turn. A group is known by its name
// alone, of 1 to 256 letters, digits and -_~:+=.
//
// A durable topic is only subscribed to in a group. Those of different durable topics
// are different groups. Such a group lasts, with its position, until
// [Topic.DeleteGroup].
func Group(name string) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.group, c.grouped = name, true })
}

// Buffer sets how many events of a live topic may wait for the subscription, at least 1,
// beside the one it handles. What comes when there are as many is lost to it. The default
// is [DefaultBuffer].
func Buffer(events int) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.live, c.buffer = true, events })
}

// From sets where a group of a durable topic begins if it is new. The default is
// [Start]. A group that is there already goes on where it is; see [Topic.Seek].
func From(p Position) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.durable, c.from = true, p })
}

// Window sets how many events of each partition of a durable topic may be with the
// subscription at a time, handled or waiting for that. The default is [DefaultWindow].
func Window(events int) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.durable, c.window = true, events })
}

// AckDeadline sets how long the handler may take for one event of a durable topic, at
// least 10 ms: then its context ends, and if it does not return within a tenth of that
// time more, it has failed: the event and all that wait are given to other members of the
// group, or come back when it does. The default is [DefaultAckDeadline].
func AckDeadline(d time.Duration) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.durable, c.ackDeadline = true, d })
}

// MaxAttempts sets how often an event of a durable topic may fail in a group before it
// becomes a dead letter: by an error or a panic of its handler, by the [AckDeadline], or
// since the node that handled it was lost. What merely waited there is delivered again,
// and does not count. To tell which is which, an event that comes for the third time
// though it has not failed is noted in the store before it is handled; so one that ends
// its process is delivered MaxAttempts times and two more. The default is
// [DefaultMaxAttempts].
func MaxAttempts(n int) SubscribeOption {
	return subscribeOption(func(c *subscribing) { c.durable, c.maxAttempts = true, n })
}

func newSubscribing(durable bool, options []SubscribeOption) (subscribing, error) {
	c := subscribing{
		buffer: DefaultBuffer,
		window: DefaultWindow, ackDeadline: DefaultAckDeadline, maxAttempts: DefaultMaxAttempts,
	}
	for _, o := range options {
		o.applySubscribe(&c)
	}
	switch {
	case durable && c.live:
		return c, refusal(actor.InvalidArgument, "Buffer is for live topics: use Window for a durable one")
	case !durable && c.durable:
		return c, refusal(actor.InvalidArgument, "From, Window, AckDeadline and MaxAttempts are for durable topics")
	case durable && !c.grouped:
		return c, refusal(actor.InvalidArgument, "a durable topic is subscribed to in a group: add Group(\"...\")")
	case c.buffer < 1:
		return c, refusal(actor.InvalidArgument, "a buffer for %d events: choose at least 1", c.buffer)
	case c.window < 1 || c.window > maxWindow:
		return c, refusal(actor.InvalidArgument, "a window of %d events: choose 1 to %d", c.window, maxWindow)
	case c.ackDeadline < minAckDeadline:
		return c, refusal(actor.InvalidArgument, "a deadline of %v for acknowledgements: choose at least %v", c.ackDeadline, minAckDeadline)
	case c.maxAttempts < 1:
		return c, refusal(actor.InvalidArgument, "%d attempts: choose at least 1", c.maxAttempts)
	case c.grouped:
		return c, checkGroup(c.group)
	}
	return c, nil
}

const (
	maxWindow      = 10_000
	minAckDeadline = 10 * time.Millisecond
)
