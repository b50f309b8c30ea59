package cluster_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/discovery"
)

// failures are the ways in which code of a user can leave.
var failures = map[string]func(){
	"panic":          func() { panic("no coffee") },
	"runtime.Goexit": runtime.Goexit,
}

// answered returns the error of f, and fails the test if f does not return by itself
// within a second.
func answered(t *testing.T, f func(ctx context.Context) error) error {
	t.Helper()
	result := make(chan error, 1)
	begin := time.Now()
	go func() { result <- f(within(t, time.Minute)) }()
	select {
	case err := <-result:
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the answer %v came after %v", err, took)
		}
		return err
	case <-time.After(2 * time.Minute):
		t.Fatal("there was no answer")
		return nil
	}
}

type chooser func(candidates []cluster.Instance) (int, error)

func (c chooser) Pick(_ any, candidates []cluster.Instance) (int, error) { return c(candidates) }

func TestABalancerThatFails(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Nodes()...)
				for what, balancer := range map[string]cluster.Balancer{
					"Pick": chooser(func([]cluster.Instance) (int, error) { fail(); return 0, nil }),
					"Key":  cluster.ConsistentHash{Key: func(any) string { fail(); return "" }},
				} {
					ref := workers(c.Node(0), cluster.WithBalancer(balancer))
					err := answered(t, func(ctx context.Context) error {
						_, err := actor.Ask(ctx, ref, Where{})
						return err
					})
					if e := actor.AsError(err); e == nil || e.Code != actor.Internal || !e.NotRun {
						t.Errorf("%s: %v", what, err)
					}
					if err := answered(t, func(context.Context) error { return actor.Tell(ref, Note{}) }); actor.CodeOf(err) != actor.Internal {
						t.Errorf("%s, told: %v", what, err)
					}
				}
			})
		})
	}
}

// lost is a way of finding others that fails in all its methods.
type lost struct{ fail func() }

func (lost) Name() string { return "lost" }

func (l lost) Announce(context.Context, string, string, string) error { l.fail(); return nil }

func (l lost) Find(context.Context, string) ([]string, error) { l.fail(); return nil, nil }

func (l lost) Withdraw(context.Context) error { l.fail(); return nil }

func TestADiscoveryThatFailsIsNoneThatFinds(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
				first := c.Start("first")
				c.Start("second", cluster.WithDiscovery(lost{fail}, discovery.Static(first.Address())))
				c.AwaitMembers(2)
			})
		})
	}
}

// snare is an extension that fails on what comes.
type snare struct{ fail func() }

func (snare) Resolve(string) (actor.Recipient, error) { return nil, actor.NotFound }

func (s snare) Deliver(context.Context, actor.Delivery) error { s.fail(); return nil }

func TestAnExtensionThatFailsFailsWhatWasAsked(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
				c.Node(1).Extend("snare", func() cluster.Extension { return snare{fail} })
				ref, err := actor.Resolve[Worker](c.Node(0).System(), "actor://node-1/snare:x")
				if err != nil {
					t.Fatal(err)
				}
				err = answered(t, func(ctx context.Context) error {
					_, err := actor.Ask(ctx, ref, Where{})
					return err
				})
				if actor.CodeOf(err) != actor.Internal {
					t.Error(err)
				}
				b := newBench()
				if on, err := actor.Ask(within(t, time.Minute), b.spawn(t, c.Node(1), c.Node(0)), Where{}); err != nil {
					t.Error("another call:", on, err)
				}
			})
		})
	}
}

func TestAWatchCallbackThatFailsHarmsNoLink(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				ref := b.spawn(t, c.Node(1), c.Node(0))
				told := make(chan struct{}, 2)
				for range 2 {
					_, err := ref.Address().Recipient().Watch(func(error) { told <- struct{}{}; fail() })
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := actor.Tell(ref, Stop{}); err != nil {
					t.Fatal(err)
				}
				<-told
				<-told
				synctest.Wait()
				if on, err := actor.Ask(within(t, time.Minute), b.spawn(t, c.Node(1), c.Node(0)), Where{}); err != nil {
					t.Error("another call:", on, err)
				}
			})
		})
	}
}

// brittle fails where it is told to.
type brittle struct{ At string }

var brittleFails func()

func (b brittle) MarshalBinary() ([]byte, error) {
	if b.At == "encode" {
		brittleFails()
	}
	return []byte(b.At), nil
}

func (b *brittle) UnmarshalBinary(data []byte) error {
	if b.At = string(data); b.At == "decode" {
		brittleFails()
	}
	return nil
}

// Fragile is asked with a part, and answered with another one.
type Fragile struct {
	actor.Call[Worker, brittle]
	Part, Reply string
	Sent        brittle
}

func TestACodecThatFailsFailsItsMessageAlone(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			brittleFails = fail
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
				handled := 0
				there, err := actor.Spawn(c.Node(1).System(), actor.Define("fragile", func() *int { return &handled },
					actor.OnCall(func(n *int, _ *actor.Context, m Fragile) (brittle, error) {
						*n++
						return brittle{m.Reply}, nil
					})))
				if err != nil {
					t.Fatal(err)
				}
				ref := refFor(t, c.Node(0), there)
				for _, test := range []struct {
					message Fragile
					code    actor.Code
				}{
					{Fragile{Sent: brittle{"encode"}}, actor.InvalidArgument},
					{Fragile{Sent: brittle{"decode"}}, actor.InvalidArgument},
					{Fragile{Reply: "encode"}, actor.Internal},
					{Fragile{Reply: "decode"}, actor.InvalidArgument},
					{Fragile{}, actor.OK},
				} {
					err := answered(t, func(ctx context.Context) error {
						_, err := actor.Ask(ctx, ref, test.message)
						return err
					})
					if actor.CodeOf(err) != test.code {
						t.Errorf("%+v: %v, want %s", test.message, err, test.code)
					}
				}
				synctest.Wait()
				if handled != 3 {
					t.Errorf("handled %d, want 3 by one value", handled)
				}
			})
		})
	}
}

func TestAnErrorTextEndsWithAWholeLetter(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		ref := newBench().spawn(t, c.Node(1), c.Node(0))
		for shift := range 4 {
			_, err := actor.Ask(within(t, time.Minute), ref, Fail{How: strings.Repeat("x", shift) + strings.Repeat("𝄞", 3000)})
			text := actor.AsError(err).Message
			if len(text) > 5000 || strings.ToValidUTF8(text, "") != text || !strings.Contains(text, "𝄞…") {
				t.Errorf("%d bytes: …%q", len(text), text[len(text)-20:])
			}
		}
	})
}
