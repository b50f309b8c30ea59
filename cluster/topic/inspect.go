package topic

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

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
	// Err says why nothing is known of the partition; empty if it is.
	Err string
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
	// Retrying is how many events wait to be delivered again, the first of them at
	// NextRetry, and Blocked how many wait for one before them with the same key.
	Retrying, Blocked int
	NextRetry         time.Time
	// Busy is the node whose subscription has had an event for the longest time, since
	// BusySince: its handler has that one or one before it. It is empty if none has any.
	Busy      string
	BusySince time.Time
	// Full says that the group takes no more events until it is done with some: as many
	// as it may have are delivered, or wait for others.
	Full bool
	// Err says why events that are there cannot be delivered; empty if they can.
	Err string
	// Why says in words what the group waits for; empty without Lag.
	Why string
}

// why returns what the group waits for.
func (g *GroupInfo) why() string {
	if g.Lag == 0 {
		return ""
	}
	var all []string
	add := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(g.Err != "", "events cannot be read: %s", g.Err)
	add(g.Members == 0, "nobody has subscribed")
	add(g.Retrying > 0, "%d wait to be delivered again, the first of them at %s", g.Retrying, g.NextRetry.Format(time.RFC3339))
	add(g.Unacknowledged > 0, "%d are with subscriptions, the first of them on node %q since %s", g.Unacknowledged, g.Busy, g.BusySince.Format(time.RFC3339))
	add(g.Blocked > 0, "%d wait for one before them with the same key", g.Blocked)
	add(g.Full, "no more are delivered until some of these are done with")
	if len(all) == 0 {
		return "the events are about to be delivered"
	}
	return strings.Join(all, "; ")
}

// Inspect asks the owners of all partitions of a durable topic how they are. It makes the
// topic if there is none. Errors are InvalidArgument for a live topic and those of
// [Topic.Publish]. With an error of an owner, Info has what the others said, and the
// [PartitionInfo] of that owner says why it does not.
func (t *Topic[T]) Inspect(ctx context.Context) (Info, error) {
	s, err := t.source.open(ctx)
	if err != nil {
		return Info{}, err
	}
	partitions, errs := onAll(ctx, s, t.source.dead, func(in logName) inspect { return inspect{In: in} }, nil)
	var info Info
	byName := map[string]*GroupInfo{}
	for i, p := range partitions {
		if errs[i] != nil {
			p.Info = PartitionInfo{Partition: i, Node: s.assignment.Load().owners[i].Node, Err: errs[i].Error()}
		}
		info.Partitions = append(info.Partitions, p.Info)
		for _, g := range p.Info.Groups {
			if byName[g.Name] == nil {
				byName[g.Name] = &GroupInfo{Name: g.Name}
			}
			byName[g.Name].add(g)
		}
	}
	for _, g := range byName {
		g.Why = g.why()
		info.Groups = append(info.Groups, *g)
	}
	slices.SortFunc(info.Groups, func(a, b GroupInfo) int { return strings.Compare(a.Name, b.Name) })
	return info, firstOf(errs)
}

// add adds what a group is in one partition.
func (g *GroupInfo) add(in GroupInfo) {
	g.Members = max(g.Members, in.Members) // each is in every partition
	g.Unacknowledged += in.Unacknowledged
	g.Lag += in.Lag
	g.Redelivered += in.Redelivered
	g.DeadLetters += in.DeadLetters
	g.Missed += in.Missed
	g.Retrying += in.Retrying
	g.Blocked += in.Blocked
	g.Full = g.Full || in.Full
	if in.Retrying > 0 && (g.NextRetry.IsZero() || in.NextRetry.Before(g.NextRetry)) {
		g.NextRetry = in.NextRetry
	}
	g.isBusy(in.Busy, in.BusySince)
	if g.Err == "" {
		g.Err = in.Err
	}
}

// isBusy notes that a node has had an event for some time, if it has one.
func (g *GroupInfo) isBusy(node string, since time.Time) {
	if !since.IsZero() && (g.BusySince.IsZero() || since.Before(g.BusySince)) {
		g.Busy, g.BusySince = node, since
	}
}

func newPartitionInfo(node string, partition int, log eventlog.LogInfo) PartitionInfo {
	info := PartitionInfo{Partition: partition, Node: node, First: uint64(log.First), Next: uint64(log.Next), Bytes: log.Bytes}
	for _, g := range log.Groups {
		group := GroupInfo{
			Name: g.Name, Members: len(g.Consumers), Position: uint64(g.Position), Lag: g.Lag,
			Redelivered: g.Redelivered, DeadLetters: g.DeadLetters, Missed: g.Missed,
			Retrying: g.Retrying, NextRetry: g.NextRetry, Blocked: g.Blocked, Full: g.Full,
		}
		for _, c := range g.Consumers {
			group.Unacknowledged += c.Delivered
			group.isBusy(c.Name, c.Since)
		}
		if g.Err != nil {
			group.Err = g.Err.Error()
		}
		group.Why = group.why()
		info.Groups = append(info.Groups, group)
	}
	return info
}

// Seek lets a group go on elsewhere: each event of a durable topic from there on is
// delivered as if for the first time, whatever has been done with it. It is durable when
// Seek returns without an error; with one, it may have happened in some of the
// partitions. Errors are NotFound if there is no such group, and those of [Topic.Inspect].
func (t *Topic[T]) Seek(ctx context.Context, group string, to Position) error {
	return manage(ctx, t.source, func(in logName) seek { return seek{In: in, Group: group, To: to.place} }, to.place.concerns)
}

// Purge removes the events of a durable topic before a position, those that are with
// subscriptions too; groups go on behind them. [End] is where each partition ends when its
// owner is asked. It is durable when Purge returns without an error; with one, it may have
// happened in some of the partitions. Errors are those of [Topic.Inspect].
func (t *Topic[T]) Purge(ctx context.Context, before Position) error {
	until := func(int) place { return before.place }
	if before.place.Of == ofEnd {
		// To try that again would remove more, if more has come.
		ends, err := t.Inspect(ctx)
		if err != nil {
			return err
		}
		until = func(partition int) place { return AtOffset(partition, ends.Partitions[partition].Next).place }
	}
	return manage(ctx, t.source, func(in logName) purge { return purge{In: in, Before: until(in.Partition)} }, before.place.concerns)
}

// DeleteGroup forgets a group of a durable topic, which then holds no events back. It is
// durable when DeleteGroup returns without an error; with one, it may have happened in
// some of the partitions. That there is no such group is no error. Errors are
// FailedPrecondition while it has members, and those of [Topic.Inspect].
func (t *Topic[T]) DeleteGroup(ctx context.Context, group string) error {
	return manage(ctx, t.source, func(in logName) dissolve { return dissolve{In: in, Group: group} }, nil)
}

// manage has the owners of those partitions that concern the request do it; nil means all.
func manage[Q actor.Request[peer, done]](ctx context.Context, from source, request func(in logName) Q, concerned func(partition int) bool) error {
	s, err := from.open(ctx)
	if err != nil {
		return err
	}
	_, errs := onAll[done](ctx, s, from.dead, request, concerned)
	return firstOf(errs)
}

// onAll asks the owners of those partitions that concern the request. It returns their
// answers and errors by partition.
func onAll[R any, Q actor.Request[peer, R]](ctx context.Context, s *stream, dead bool, request func(in logName) Q, concerned func(partition int) bool) ([]R, []error) {
	ctx, cancel := patiently(ctx)
	defer cancel()
	answers, errs := make([]R, s.settings.Partitions), make([]error, s.settings.Partitions)
	var all sync.WaitGroup
	for i := range answers {
		if concerned == nil || concerned(i) {
			all.Go(func() {
				answers[i], errs[i] = ask[R](ctx, new(asking), s, i, request(logName{s.name, i, dead}))
			})
		}
	}
	all.Wait()
	return answers, errs
}

// firstOf returns the first error that there is.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
