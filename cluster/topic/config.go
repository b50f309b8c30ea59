package topic

import (
	"time"

	livesettings "github.com/troupe-go/troupe/settings"
)

// Config is what can be set of a durable topic from outside of the code. It is an
// [Option], which makes the topic [Durable] and sets all of it:
//
//	orders := topic.Of[OrderPlaced](node, "orders", live.Get().Orders)
//
// Fill it with package settings, which knows the defaults. None of it can be changed once
// the topic is there: all nodes must agree.
type Config struct {
	Partitions int `default:"1" doc:"How many logs the topic has. Events of one key are in one, and in order." validate:"min=1,max=256" reload:"restart"`
	Retain     struct {
		Age        time.Duration     `default:"0s" doc:"How long an event is kept, whether or not the groups have got it; 0s is for ever." validate:"min=0"`
		Bytes      livesettings.Size `default:"256MiB" doc:"How much is kept; 0 is without a limit."`
		Count      int64             `default:"0" doc:"How many events are kept; 0 is without a limit." validate:"min=0"`
		DropOldest bool              `default:"false" doc:"Whether the oldest go where there would be more, also if a group has yet to get them."`
	} `doc:"What is kept in each partition." reload:"restart"`
}

func (c Config) applyTopic(to *topicOptions) {
	to.durable, to.given = true, true
	to.settings = settings{Partitions: c.Partitions, Limits: Limits{
		Age: c.Retain.Age, Bytes: int64(c.Retain.Bytes), Count: c.Retain.Count, DropOldest: c.Retain.DropOldest,
	}}
}

// ConsumerConfig is what can be set of a subscription to a durable topic from outside of
// the code. It is a [SubscribeOption], which sets all of it. Fill it with package
// settings, which knows the defaults. A change concerns subscriptions that are made later.
type ConsumerConfig struct {
	Window      int           `default:"64" doc:"How many events of each partition may be with the subscription at a time." validate:"min=1,max=10000" reload:"restart"`
	AckDeadline time.Duration `default:"30s" doc:"How long the handler may take for one event." validate:"min=10ms" reload:"restart"`
	MaxAttempts int           `default:"10" doc:"How often an event may fail before it becomes a dead letter." validate:"min=1" reload:"restart"`
}

func (c ConsumerConfig) applySubscribe(to *subscribing) {
	to.durable, to.window, to.ackDeadline, to.maxAttempts = true, c.Window, c.AckDeadline, c.MaxAttempts
}
