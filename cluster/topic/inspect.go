package topic

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// Info is what [Topic.Inspect] tells of a durable topic.
type Info struct {
	Partitions []PartitionInfo
	Groups     []GroupInfo // over all partitions, by name
}

// PartitionInfo tells of one partition.
type PartitionInfo struct {
	Partition int
	Node      string // that owns it
	// First is the offset of the first event that is kept, and Next will be that of the
	// next one.
	First, Next uint64
	Bytes       uint64      // that the events take in the store
	Groups      []GroupInfo // in this partition, by name
}

// GroupInfo tells where a group is.
type GroupInfo struct {
	Name string
	// Members is how many subscriptions there are now, and Unacknowledged how many
	// events they have.
	Members, Unacknowledged int
	// Position is the offset of the first event that the group is not done with, in one
	// partition; 0 over all of them.
	Position uint64
	// Lag is how many events that are kept the group is not done with.
	Lag uint64
	// Redelivered, DeadLetters and Missed count deliveries that were not the first,
	// events that were given up, and events that were removed before the group got them.
	Redelivered, DeadLetters, Missed uint64
	// Err says why events that are there cannot be delivered; empty if they can.
	Err string
}

// Inspect asks the owners of all partitions of a durable topic how they are. It makes the
// topic if there is none. Errors are InvalidArgument for a live topic and those of
// [Topic.Publish].
func (t *Topic[T]) Inspect(ctx context.Context) (Info, error) {
	partitions, err := onAll(ctx, t.source, true, func(in logName) inspect { return inspect{In: in} }, nil)
	if err != nil {
		return Info{}, err
	}
	var info Info
	byName := map[string]*GroupInfo{}
	for _, p := range partitions {
		info.Partitions = append(info.Partitions, p.Info)
		for _, g := range p.Info.Groups {
			if byName[g.Name] == nil {
				byName[g.Name] = &GroupInfo{Name: g.Name}
			}
			byName[g.Name].add(g)
		}
	}
	for _, g := range byName {
		info.Groups = append(info.Groups, *g)
	}
	slices.SortFunc(info.Groups, func(a, b GroupInfo) int { return strings.Compare(a.Name, b.Name) })
	return info, nil
}

// add adds what a group is in one partition.
func (g *GroupInfo) add(in GroupInfo) {
	g.Members = max(g.Members, in.Members) // each is in every partition
	g.Unacknowledged += in.Unacknowledged
	g.Lag += in.Lag
	g.Redelivered += in.Redelivered
	g.DeadLetters += in.DeadLetters
	g.Missed += in.Missed
	if g.Err == "" {
		g.Err = in.Err
	}
}

func newPartitionInfo(node string, partition int, log eventlog.LogInfo) PartitionInfo {
	info := PartitionInfo{Partition: partition, Node: node, First: uint64(log.First), Next: uint64(log.Next), Bytes: log.Bytes}
	for _, g := range log.Groups {
		group := GroupInfo{
			Name: g.Name, Members: len(g.Consumers), Position: uint64(g.Position), Lag: g.Lag,
			Redelivered: g.Redelivered, DeadLetters: g.DeadLetters, Missed: g.Missed,
		}
		for _, c := range g.Consumers {
			group.Unacknowledged += c.Delivered
		}
		if g.Err != nil {
			group.Err = g.Err.Error()
		}
		info.Groups = append(info.Groups, group)
	}
	return info
}

// Seek lets a group go on elsewhere: each event of a durable topic from there on is
// delivered as if for the first time, whatever has been done with it. It is durable when
// Seek returns without an error; with one, it may have happened in some of the
// partitions. Errors are NotFound if there is no such group, and those of [Topic.Inspect].
func (t *Topic[T]) Seek(ctx context.Context, group string, to Position) error {
	_, err := onAll(ctx, t.source, true, func(in logName) seek { return seek{In: in, Group: group, To: to.place} }, to.place.concerns)
	return err
}

// Purge removes the events of a durable topic before a position; groups go on behind
// them. It is durable when Purge returns without an error; with one, it may have happened
// in some of the partitions. Errors are those of [Topic.Inspect].
func (t *Topic[T]) Purge(ctx context.Context, before Position) error {
	// To try again what may have happened would remove more, if more has come.
	_, err := onAll(ctx, t.source, before.place.Of != ofEnd, func(in logName) purge { return purge{In: in, Before: before.place} }, before.place.concerns)
	return err
}

// DeleteGroup forgets a group of a durable topic, which then holds no events back. It is
// durable when DeleteGroup returns without an error; with one, it may have happened in
// some of the partitions. That there is no such group is no error. Errors are
// FailedPrecondition while it has members, and those of [Topic.Inspect].
func (t *Topic[T]) DeleteGroup(ctx context.Context, group string) error {
	_, err := onAll(ctx, t.source, true, func(in logName) dissolve { return dissolve{In: in, Group: group} }, nil)
	return err
}

// onAll asks the owners of those partitions that concern the request; nil means all. It
// returns their answers by partition, and the first error.
func onAll[R any, Q actor.Request[peer, R]](ctx context.Context, from source, again bool, request func(in logName) Q, concerned func(partition int) bool) ([]R, error) {
	s, err := from.open(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := patiently(ctx)
	defer cancel()
	answers, errs := make([]R, s.settings.Partitions), make([]error, s.settings.Partitions)
	var all sync.WaitGroup
	for i := range answers {
		if concerned == nil || concerned(i) {
			all.Go(func() {
				answers[i], errs[i] = ask[R](ctx, new(asking), s, i, again, request(logName{s.name, i, from.dead}))
			})
		}
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}
