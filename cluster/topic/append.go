package topic

import (
	"context"
	"crypto/rand"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// append publishes event to a durable topic. It has an ID in any case, so that an attempt
// of which it is not known whether it was successful can be made again.
func (t *Topic[T]) append(ctx context.Context, event T, options []PublishOption) error {
	var c publishing
	for _, o := range options {
		o.applyPublish(&c)
	}
	switch {
	case t.source.dead:
		return refusal(actor.InvalidArgument, "nothing can be published to %s: they are what groups have given up", t.source)
	case len(c.key) > eventlog.MaxKeySize || len(c.id) > eventlog.MaxKeySize:
		return refusal(actor.InvalidArgument, "a key of %d and an ID of %d bytes: at most %d are allowed", len(c.key), len(c.id), eventlog.MaxKeySize)
	case c.id == "":
		c.id = rand.Text()
	}
	payload, contentType, err := t.extension.node.System().Encode(nil, event)
	if err != nil {
		return err
	}
	s, err := t.source.open(ctx)
	if err != nil {
		return err
	}
	partition := partitionOf(c.key, c.id, s.settings.Partitions)
	return s.outboxes[partition].publish(ctx, stored{ID: c.id, Key: c.key, Type: t.kind.name, ContentType: contentType, Payload: payload})
}
