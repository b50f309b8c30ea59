package virtual

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// Pauses before the table is looked for again.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = time.Second
)

// follow keeps the table as the records say, or as gossip does for a kind that is
// served without them.
func (k *kind) follow(ctx context.Context) {
	n := k.extension.node
	for ctx.Err() == nil {
		if h := k.server.Load(); h != nil && !h.config.bestEffort {
			k.followRecords(ctx)
			return
		}
		if !k.isOffered() {
			watching, stop := context.WithCancel(ctx)
			var beside sync.WaitGroup
			beside.Go(func() {
				defer stop()
				_ = n.Await(watching, func() bool { return k.isOffered() || watching.Err() != nil })
			})
			k.followRecords(watching)
			stop()
			beside.Wait()
		}
		if err := k.followGossip(ctx); err != nil {
			return // the node has left
		}
	}
}

// followRecords returns when ctx has ended.
func (k *kind) followRecords(ctx context.Context) {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		began := time.Now()
		err := k.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		k.extension.node.Logger().Debug("the table of virtual actors is not followed now", "kind", k.name, "error", err)
		if time.Since(began) > maxRetry {
			wait = minRetry
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// watch reads the records and follows their changes until that fails.
func (k *kind) watch(ctx context.Context) error {
	s, err := k.extension.open(ctx)
	if err != nil {
		return err
	}
	store := s.Store()
	records, after, err := persistence.Current(ctx, store, kindPrefix(k.name))
	if err != nil {
		return err
	}
	t := &table{read: time.Now(), revision: after}
	for _, r := range records {
		k.apply(t, persistence.Change{Key: r.Key, Value: r.Value}, r.Revision)
	}
	k.publish(t)
	for changes, err := range store.Watch(ctx, kindPrefix(k.name), after) {
		if err != nil {
			return err
		}
		t = t.clone()
		t.revision = changes.Revision
		for _, c := range changes.Changes {
			k.apply(t, c, changes.Revision)
		}
		k.publish(t)
	}
	return actor.Errorf(actor.Unavailable, "virtual: the watch ended")
}

func (k *kind) apply(t *table, c persistence.Change, revision persistence.Revision) {
	if err := t.apply(k.name, c, revision); err != nil {
		k.extension.node.Logger().Warn("a record of virtual actors is not understood", "kind", k.name, "error", err)
	}
}

// gossipShards are the shards of a kind that is served as [BestEffort].
const gossipShards = 1024

// offerName is the service under which a node offers a kind by gossip.
func offerName(kind string) string { return extensionName + "~" + kind }

func (k *kind) offers() []cluster.Instance {
	return k.extension.node.Instances(offerName(k.name))
}

// isOffered reports whether some node serves the kind as [BestEffort].
func (k *kind) isOffered() bool { return len(k.offers()) > 0 }

// followGossip computes the table from gossip until nobody offers the kind. It returns
// an error when ctx or the node has ended.
func (k *kind) followGossip(ctx context.Context) error {
	var offers []cluster.Instance
	for {
		t := &table{read: time.Now()}
		for _, o := range offers {
			t.addHost(host{place: place{Node: o.Node, Session: o.Node}})
		}
		if len(offers) > 0 {
			t.shards = make([]owner, gossipShards)
			for i := range t.shards {
				t.shards[i].place = t.hosts[preferred(k.name, i, t.hosts)].place
			}
		}
		k.publish(t)
		before := offers
		err := k.extension.node.Await(ctx, func() bool {
			offers = k.offers()
			return !slices.Equal(offers, before)
		})
		if err != nil {
			return err
		}
		if len(offers) == 0 {
			return nil
		}
	}
}
