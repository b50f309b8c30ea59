package clustertest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/security"
)

// Cluster is a cluster of nodes in this process, each on a host of its own. Its
// methods fail the test where they cannot do what they say. They may be called
// concurrently, but those that start nodes only by the goroutine of the test.
type Cluster struct {
	// Network connects the hosts; node-0 runs on the host "node-0".
	Network *Network

	t           testing.TB
	keys        *security.Credentials
	options     []cluster.Option
	contacts    contacts
	reaping     sync.WaitGroup // of crashed nodes
	afterwards  time.Duration
	mu          sync.Mutex
	byIndex     []*cluster.Node
	hosts       map[*cluster.Node]*Host
	generations map[string]int // moves by name of the node
}

// The port that nodes listen on, and how long the harness waits, in the time of
// the test, for what must happen.
const (
	nodePort = "7420"
	patience = 2 * time.Minute
)

// Run tests a cluster of nodes called "node-0", "node-1" and so on, which have
// found each other, in virtual time: it is testing/synctest.Test with a Cluster.
// Options apply to every node, after those of the harness. The nodes leave when
// test returns.
func Run(t *testing.T, nodes int, test func(t *testing.T, c *Cluster), options ...cluster.Option) {
	t.Helper()
	keys := credentials(t)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, keys, options)
		// memberlist does not wait for the answers to its last probes, and the
		// bubble must outlive them.
		c.afterwards = time.Minute
		c.startAll(nodes)
		test(t, c)
	})
}

// New is [Run] in real time: it starts the nodes, which leave when the test ends.
func New(t testing.TB, nodes int, options ...cluster.Option) *Cluster {
	t.Helper()
	c := newCluster(t, credentials(t), options)
	c.startAll(nodes)
	return c
}

// credentials are derived once for all nodes: that is meant to be slow.
func credentials(t testing.TB) *security.Credentials {
	t.Helper()
	secret, err := security.ParseSecret("no secret at all, but long enough")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := security.Derive(secret, "test")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newCluster(t testing.TB, keys *security.Credentials, options []cluster.Option) *Cluster {
	c := &Cluster{
		Network:     NewNetwork(1),
		t:           t,
		keys:        keys,
		options:     options,
		hosts:       make(map[*cluster.Node]*Host),
		generations: make(map[string]int),
	}
	t.Cleanup(c.close)
	return c
}

func (c *Cluster) startAll(nodes int) {
	c.t.Helper()
	for i := range nodes {
		c.Start(fmt.Sprintf("node-%d", i))
	}
	c.AwaitMembers(nodes)
}

// close lets the nodes leave, over a network without faults. They go one after
// another: a node whose last probe is not answered keeps a goroutine for a second.
func (c *Cluster) close() {
	c.Network.calm()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, n := range c.Nodes() {
		if err := n.Leave(ctx); err != nil {
			c.t.Errorf("clustertest: %s: %v", n.Name(), err)
		}
	}
	c.reaping.Wait()
	c.Network.Close()
	<-time.After(c.afterwards)
}

// Start starts a node on the host of its name, and returns once it has joined. It
// gets the next index. The options count for this node alone.
func (c *Cluster) Start(name string, options ...cluster.Option) *cluster.Node {
	c.t.Helper()
	n := c.start(c.Network.Host(name), name, options)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byIndex = append(c.byIndex, n)
	return n
}

func (c *Cluster) start(h *Host, name string, options []cluster.Option) *cluster.Node {
	c.t.Helper()
	n, err := c.TryStart(h, name, options...)
	if err != nil {
		c.t.Fatalf("clustertest: %s: %v", name, err)
	}
	return n
}

// TryStart starts a node on any host and returns what cluster.Join returns. The
// node has no index.
func (c *Cluster) TryStart(h *Host, name string, options ...cluster.Option) (*cluster.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all := []cluster.Option{
		cluster.WithName(name),
		cluster.WithCredentials(c.keys),
		cluster.WithNetwork(h),
		cluster.WithListen(h.IP().String() + ":" + nodePort),
		cluster.WithDiscovery(&contact{all: &c.contacts}),
		cluster.WithEnvironment(func(string) string { return "" }),
		cluster.WithLogger(slog.New(slog.NewTextHandler(c.t.Output(), nil))),
	}
	n, err := cluster.Join(ctx, append(append(all, c.options...), options...)...)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts[n] = h
	return n, nil
}

// Node returns the node with that index: of the process that was started last, if
// it has crashed and was restarted.
func (c *Cluster) Node(i int) *cluster.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byIndex[i]
}

// Nodes returns the nodes that run, in no order.
func (c *Cluster) Nodes() []*cluster.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	var running []*cluster.Node
	for n := range c.hosts {
		select {
		case <-n.Done():
		default:
			running = append(running, n)
		}
	}
	return running
}

// Crash ends the process of a node as SIGKILL does; see [Host.Crash].
func (c *Cluster) Crash(i int) {
	c.mu.Lock()
	n := c.byIndex[i]
	h := c.hosts[n]
	delete(c.hosts, n)
	c.mu.Unlock()
	h.Crash()
	// Nobody hears it leave; but its goroutines end.
	c.reaping.Go(func() {
		hurry, cancel := context.WithCancel(context.Background())
		cancel()
		_ = n.Leave(hurry)
		<-n.Done()
	})
}

// Restart starts the process of a crashed node again, with the same name and at
// the same address. The options count for this run of it alone.
func (c *Cluster) Restart(i int, options ...cluster.Option) *cluster.Node {
	c.t.Helper()
	return c.restart(i, c.Node(i).Name(), options)
}

// RestartElsewhere starts a crashed node again on another host, at another
// address. The host is called like the node, with "-moved-1" and so on appended.
func (c *Cluster) RestartElsewhere(i int, options ...cluster.Option) *cluster.Node {
	c.t.Helper()
	name := c.Node(i).Name()
	c.mu.Lock()
	c.generations[name]++
	host := fmt.Sprintf("%s-moved-%d", name, c.generations[name])
	c.mu.Unlock()
	return c.restart(i, host, options)
}

func (c *Cluster) restart(i int, host string, options []cluster.Option) *cluster.Node {
	c.t.Helper()
	// A process takes a while to start: the next one is later than the last.
	<-time.After(time.Millisecond)
	n := c.start(c.Network.Host(host), c.Node(i).Name(), options)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byIndex[i] = n
	return n
}

// AwaitMembers waits until every running node sees that many members, itself
// included.
func (c *Cluster) AwaitMembers(count int) {
	c.t.Helper()
	c.await(fmt.Sprintf("%d members", count), func(n *cluster.Node) bool { return len(n.Members()) == count })
}

// AwaitService waits until every running node sees that many instances of the
// service.
func (c *Cluster) AwaitService(name string, instances int) {
	c.t.Helper()
	c.await(fmt.Sprintf("%d instances of %s", instances, name), func(n *cluster.Node) bool {
		return len(n.Instances(name)) == instances
	})
}

func (c *Cluster) await(what string, condition func(*cluster.Node) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, n := range c.Nodes() {
		if err := n.Await(ctx, func() bool { return condition(n) }); err != nil {
			c.t.Fatalf("clustertest: %s does not see %s, but %v: %v", n.Name(), what, n.Members(), err)
		}
	}
}
