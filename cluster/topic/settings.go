package topic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
	"github.com/troupe-go/troupe/persistence"
)

// Limits say how much a durable topic keeps in each of its partitions. What is zero is
// without a limit.
type Limits struct {
	// Age is how long an event is kept, whether or not the groups have got it.
	Age time.Duration
	// Bytes, with what an event is kept with, and Count are how much is kept at most.
	Bytes, Count int64
	// DropOldest lets the oldest events go where there would be more, also if a group has
	// yet to get them. Else only those go that all groups are done with, if there are
	// any groups, and Publish fails with ResourceExhausted where none is.
	DropOldest bool
}

const (
	defaultBytes = 256 << 20
	// deadLetterBytes limits the dead letters of a partition, of which the oldest go.
	deadLetterBytes = 64 << 20
	maxPartitions   = 256
	// duplicateCount is how many IDs are remembered, over all partitions.
	duplicateCount = 100_000
)

// settings are what all who use a durable topic must agree on. Whoever is the first
// writes them into the replicated store.
type settings struct {
	Partitions int
	Limits     Limits
}

func (s settings) validate() error {
	switch l := s.Limits; {
	case s.Partitions < 1 || s.Partitions > maxPartitions:
		return refusal(actor.InvalidArgument, "%d partitions: choose 1 to %d", s.Partitions, maxPartitions)
	case l.Age < 0 || l.Bytes < 0 || l.Count < 0:
		return refusal(actor.InvalidArgument, "a limit of %+v is negative; 0 is without a limit", l)
	}
	return nil
}

func (s settings) String() string {
	keeps := fmt.Sprintf("up to %v, %d bytes and %d events in each (0 is no limit)", s.Limits.Age, s.Limits.Bytes, s.Limits.Count)
	if s.Limits.DropOldest {
		keeps += " and drops the oldest"
	}
	return fmt.Sprintf("has %d partitions, and keeps %s", s.Partitions, keeps)
}

// log returns how a partition is opened.
func (s settings) log(n *cluster.Node, topic string, partition int, epoch persistence.Revision) eventlog.Config {
	return eventlog.Config{
		Store: durableStore(n), Name: fmt.Sprintf("log/%s/%d", topic, partition), Epoch: epoch,
		Events:         eventlog.Limits{Age: s.Limits.Age, Bytes: s.Limits.Bytes, Count: s.Limits.Count, Refuse: !s.Limits.DropOldest},
		DeadLetters:    eventlog.Limits{Bytes: deadLetterBytes},
		DuplicateCount: max(1, duplicateCount/s.Partitions),
		Logger:         n.Logger(),
	}
}

// settingsKeys is what the keys of settings begin with.
const settingsKeys = "settings/"

// durableStore is where the settings and the events of durable topics are.
func durableStore(n *cluster.Node) persistence.Store {
	return persistence.Namespace(n.Store(), extensionName)
}

// agree returns nil if s are the settings of the topic, which they are if it has none.
func (s settings) agree(ctx context.Context, n *cluster.Node, topic string) error {
	store, key := durableStore(n), settingsKeys+topic
	for {
		r, err := store.Get(ctx, key)
		if errors.Is(err, persistence.ErrNotFound) {
			text, _ := json.Marshal(s) // numbers never fail
			_, err = persistence.CompareAndSwap(ctx, store, key, 0, text)
			if errors.Is(err, persistence.ErrConflict) {
				continue
			}
			return err
		}
		if err != nil {
			return err
		}
		there, err := decodeSettings(r)
		if err == nil && there != s {
			err = refusal(actor.FailedPrecondition, "the durable topic %q %s; here it %s: give Of the same options everywhere", topic, there, s)
		}
		return err
	}
}

func decodeSettings(r persistence.Record) (settings, error) {
	var s settings
	if err := json.Unmarshal(r.Value, &s); err != nil || s.validate() != nil {
		return s, refusal(actor.DataLoss, "the record %q does not hold the settings of a topic: %.100q", r.Key, r.Value)
	}
	return s, nil
}

// Description says what durable topic there is.
type Description struct {
	Name       string
	Partitions int
	Limits     Limits
}

// List returns the durable topics of the cluster, by name. While the replicated store cannot
// be reached it waits, until ctx ends or for 30 seconds if ctx has no deadline. Errors are
// those of the store, and cluster.ErrLeft.
func List(ctx context.Context, node *cluster.Node) ([]Description, error) {
	var records []persistence.Record
	err := extensionOf(node).persist(ctx, "the list of topics waits for the replicated store", func(ctx context.Context) (err error) {
		records, err = durableStore(node).List(ctx, persistence.Query{Prefix: settingsKeys})
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []Description
	for _, r := range records {
		s, err := decodeSettings(r)
		if err != nil {
			return nil, err
		}
		all = append(all, Description{Name: strings.TrimPrefix(r.Key, settingsKeys), Partitions: s.Partitions, Limits: s.Limits})
	}
	return all, nil
}
