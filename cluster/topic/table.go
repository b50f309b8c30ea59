package topic

import (
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/cluster"
)

// table is who wants what, as long as that does not change. The route of a topic is
// worked out when it is first needed.
type table struct {
	extension *extension
	announced *cluster.Announcements // that it was made of
	routes    sync.Map               // of *route, by topic
	count     atomic.Int64           // of routes, at least
}

// maxRoutes bounds the topics that are remembered: names may be many, and others choose
// them.
const maxRoutes = 10_000

// current returns the table of now.
func (x *extension) current() *table {
	t := x.table.Load()
	if t.announced == x.node.Announced(extensionName) {
		return t
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.renew()
}

// renew makes a new table. The caller holds the lock.
func (x *extension) renew() *table {
	x.learn(x.node.Announced(extensionName))
	t := &table{extension: x, announced: x.announced}
	x.table.Store(t)
	return t
}

// route returns who wants the events of a topic.
func (t *table) route(topic string) *route {
	if r, ok := t.routes.Load(topic); ok {
		return r.(*route)
	}
	x := t.extension
	x.mu.Lock()
	defer x.mu.Unlock()
	if t.count.Add(1) > maxRoutes {
		t = x.renew()
	}
	r, _ := t.routes.LoadOrStore(topic, newRoute(x.entries.match(nil, topic)))
	return r.(*route)
}
