package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/settings"
)

// source is a provider of settings that a test changes.
type source struct {
	mu      sync.Mutex
	values  map[string]any
	changed func(any, error)
}

func (s *source) Read() (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values), nil
}

func (s *source) ReadBytes() ([]byte, error) { return nil, errors.New("it has values only") }

func (s *source) Watch(changed func(any, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = changed
	return nil
}

// set replaces a value, and waits until everybody has followed.
func (s *source) set(key string, value any) {
	s.mu.Lock()
	s.values = maps.Clone(s.values)
	if value == nil {
		delete(s.values, key)
	} else {
		s.values[key] = value
	}
	changed := s.changed
	s.mu.Unlock()
	changed(nil, nil)
	<-time.After(time.Second)
}

func load[T any](t *testing.T, values map[string]any) (*settings.Live[T], *source) {
	t.Helper()
	s := &source{values: maps.Clone(values)}
	if values == nil {
		s.values = make(map[string]any)
	}
	live, err := settings.Load[T](t.Context(), settings.From("test", s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	<-time.After(time.Second) // it is being watched
	return live, s
}

// journal is what a node logs.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

// take returns what was logged since the last time.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

func (j *journal) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: level}))
}

func start(t *testing.T, c *clustertest.Cluster, name string, options ...cluster.Option) *cluster.Node {
	t.Helper()
	n, err := c.TryStart(c.Network.Host(name), name, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Leave(context.Background()) })
	return n
}

func TestANodeIsWhatItsSettingsSayAndOptionsWin(t *testing.T) {
	keys := derive(t, "a secret of the join tests", "staging")
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		type shop struct{ Cluster *cluster.Config }
		live, _ := load[shop](t, map[string]any{"cluster": map[string]any{
			"cluster": "staging", "name": "ada", "listen": "10.0.0.9:1", "advertise": "10.0.0.9:2", "secret": "it is not used: options give one",
		}})
		host := c.Network.Host("ada")
		n, err := cluster.Join(t.Context(),
			cluster.WithListen(host.IP().String()+":99"), // before: the order does not matter
			cluster.FromSettingsPart(live, func(s *shop) *cluster.Config { return s.Cluster }),
			cluster.WithEnvironment(func(key string) string { return "the environment is not read, so that this is no error" }),
			cluster.WithNetwork(host), cluster.WithCredentials(keys), cluster.WithDiscovery(),
			cluster.WithLogger(slog.New(slog.DiscardHandler)), cluster.WithStateDir(t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		defer leave(t, n)
		if n.Name() != "ada" || n.Cluster() != "staging" || n.Address() != "10.0.0.9:2" {
			t.Error(n.Name(), n.Cluster(), n.Address())
		}
	})
}

func TestANodeWithoutAPartOfTheSettingsHasTheDefaults(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		type shop struct{ Cluster *cluster.Config }
		live, s := load[shop](t, nil)
		var log journal
		start(t, c, "a", cluster.WithLogger(log.logger(slog.LevelInfo)),
			cluster.FromSettingsPart(live, func(s *shop) *cluster.Config { return s.Cluster }))
		s.set("cluster", map[string]any{"log_level": "error"})
		if log.take(); live.Get().Cluster == nil {
			t.Fatal("no part")
		}
		start(t, c, "b", cluster.WithCluster("test"))
		if logged := log.take(); logged != "" {
			t.Errorf("logged %s", logged)
		}
	})
}

func TestJoinRefusesSettingsThatCannotBeFollowed(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		closed, _ := load[cluster.Config](t, nil)
		closed.Close()
		for what, live := range map[string]*settings.Live[cluster.Config]{"nil": nil, "closed": closed} {
			n, err := c.TryStart(c.Network.Host(what), what, cluster.FromSettings(live))
			if n != nil || actor.CodeOf(err) != actor.InvalidArgument {
				t.Errorf("%s: %v, %v", what, n, err)
			}
		}
	})
}

func TestTheLogLevelFollowsAndNeverExceedsTheLogger(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		live, s := load[cluster.Config](t, nil)
		other, _ := load[cluster.Config](t, nil)
		var log, logOfOther journal
		n := start(t, c, "a", cluster.FromSettings(live), cluster.WithLogger(log.logger(slog.LevelInfo)))
		m := start(t, c, "b", cluster.FromSettings(other), cluster.WithLogger(logOfOther.logger(slog.LevelInfo)))
		derived := n.Logger().WithGroup("g").With("k", "v")
		for _, step := range []struct {
			level any
			want  string
		}{{nil, "info warn"}, {"warn", "warn"}, {"error", ""}, {"debug", "info warn"}, {nil, "info warn"}} {
			s.set("log_level", step.level)
			log.take()
			logOfOther.take()
			for _, l := range []*slog.Logger{n.Logger(), derived, m.Logger()} {
				l.Debug("debug")
				l.Info("info")
				l.Warn("warn")
			}
			messages := func(j *journal) string {
				var found []string
				for _, m := range regexp.MustCompile(`msg=(\S+)`).FindAllStringSubmatch(j.take(), -1) {
					found = append(found, m[1])
				}
				return strings.Join(found, " ")
			}
			if got := messages(&log); got != strings.TrimSpace(step.want+" "+step.want) {
				t.Errorf("level %v: %q, want twice %q", step.level, got, step.want)
			}
			if got := messages(&logOfOther); got != "info warn" {
				t.Errorf("another node: %q", got)
			}
		}
	})
}

func TestWhatNeedsARestartIsLoggedOncePerChange(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		type shop struct {
			Cluster cluster.Config
			Rate    int
		}
		live, s := load[shop](t, map[string]any{"cluster": map[string]any{"voters": 3, "seeds": []any{"a:1"}}})
		var log journal
		start(t, c, "a", cluster.WithLogger(log.logger(slog.LevelInfo)), cluster.WithExpect(1),
			cluster.FromSettingsPart(live, func(s *shop) *cluster.Config { return &s.Cluster }))
		for _, step := range []struct {
			what string
			node map[string]any
			want string // in the log; "" for nothing
		}{
			{"a change", map[string]any{"voters": 5, "seeds": []any{"a:1"}}, `level=WARN msg="settings have changed and wait for a restart of the node" node=a keys=[voters]`},
			{"another", map[string]any{"voters": 5, "seeds": []any{"b:1"}}, `keys=[seeds]`},
			{"what an option says", map[string]any{"voters": 5, "seeds": []any{"b:1"}, "expect": 3}, ""},
			{"the same again", map[string]any{"voters": 5, "seeds": []any{"b:1"}, "expect": 3}, ""},
			{"back", map[string]any{"voters": 3, "seeds": []any{"b:1"}, "expect": 3}, `level=INFO msg="settings are again what the node has joined with" node=a keys=[voters]`},
			{"what is in force", map[string]any{"voters": 3, "seeds": []any{"b:1"}, "expect": 3, "services": map[string]any{"s": map[string]any{"wait": true}}}, `level=INFO msg="settings have changed and are in force" node=a keys=[services]`},
		} {
			log.take()
			s.set("rate", len(step.want)) // the program's own does not matter
			s.set("cluster", step.node)
			got := log.take()
			if strings.Count(got, "\n") != min(len(step.want), 1) || !strings.Contains(got, step.want) {
				t.Errorf("%s: logged %q, want %q", step.what, got, step.want)
			}
		}
		if got := live.Status().Restart; !slices.Equal(got, []string{"cluster.seeds", "cluster.expect"}) {
			t.Errorf("waiting for a restart: %v", got)
		}
	})
}

func TestSettingsOfServicesCountAtOnceAndCodeWins(t *testing.T) {
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		live, s := load[cluster.Config](t, nil)
		b := newBench()
		b.serve(t, c, c.Nodes()...)
		n := start(t, c, "caller", cluster.FromSettings(live))
		if err := n.Await(within(t, time.Minute), func() bool { return len(n.Instances("worker")) == 4 }); err != nil {
			t.Fatal(err)
		}
		plain, hashing := workers(n), workers(n, cluster.WithBalancer(cluster.ConsistentHash{}))
		spread := func(ref actor.Ref[Worker], key string) map[string]int {
			by := make(map[string]int)
			for range 40 {
				node, err := actor.Ask(t.Context(), ref, Where{Key: key})
				if err != nil {
					t.Fatal(err)
				}
				by[node]++
			}
			return by
		}
		balancer := func(name string) map[string]any {
			return map[string]any{"worker": map[string]any{"balancer": name}}
		}
		s.set("services", balancer("round_robin"))
		for node, calls := range spread(plain, "k") {
			if calls != 10 {
				t.Errorf("in turn, %s got %d of 40 calls", node, calls)
			}
		}
		if by := spread(hashing, "k"); len(by) != 1 {
			t.Errorf("the option in code does not win: %v", by)
		}
		s.set("services", balancer("consistent_hash"))
		if by := spread(plain, "k"); len(by) != 1 {
			t.Errorf("one key went to %v", by)
		}
		s.set("services", nil)
		if by := spread(plain, "k"); len(by) < 2 {
			t.Errorf("at random, all calls went to %v", by)
		}
	})
}

func TestABalancerStaysWhenOtherSettingsChange(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		worker := map[string]any{"balancer": "round_robin"}
		live, s := load[cluster.Config](t, map[string]any{"services": map[string]any{"worker": worker}})
		b := newBench()
		nodes := c.Nodes()
		b.serve(t, c, nodes...)
		n := start(t, c, "caller", cluster.FromSettings(live))
		if err := n.Await(within(t, time.Minute), func() bool { return len(n.Instances("worker")) == 2 }); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if _, err := actor.Ask(t.Context(), workers(n), Where{}); err != nil {
				t.Fatal(err)
			}
			s.set("services", map[string]any{"worker": worker, "other": map[string]any{"wait": i%2 == 0}})
		}
		for _, node := range nodes {
			if got := b.runsOn(node.Name()); got != 3 {
				t.Errorf("%s got %d of 6 calls", node.Name(), got)
			}
		}
	})
}

func TestCallsWaitForAServiceWhoseSettingsSaySo(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		live, s := load[cluster.Config](t, nil)
		n := start(t, c, "caller", cluster.FromSettings(live))
		_, err := actor.Ask(within(t, time.Second), workers(n), Where{})
		wantCode(t, "without waiting", err, actor.Unavailable)
		s.set("services", map[string]any{"worker": map[string]any{"wait": true}})
		answer := make(chan error, 1)
		go func() {
			_, err := actor.Ask(within(t, time.Minute), workers(n), Where{})
			answer <- err
		}()
		<-time.After(5 * time.Second)
		b := newBench()
		b.serve(t, c, c.Node(0))
		if err := <-answer; err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatHasLeftFollowsNothing(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		live, s := load[cluster.Config](t, nil)
		var log journal
		n := start(t, c, "a", cluster.FromSettings(live), cluster.WithLogger(log.logger(slog.LevelInfo)))
		leave(t, n)
		log.take()
		s.set("voters", 5)
		if got := log.take(); got != "" {
			t.Errorf("it logged %s", got)
		}
	})
}
