package cluster

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/troupe-go/troupe/settings"
)

// FromSettings lets settings say what no other option does. They take the place of the
// environment, which counts only if it is one of their sources:
//
//	live, err := settings.Load[cluster.Config](ctx, settings.OptionalFile("troupe.yaml"), settings.Env("TROUPE_"))
//	...
//	defer live.Close()
//	node, err := cluster.Join(ctx, cluster.FromSettings(live))
//
// The node follows them until it leaves. What is said of services, and the log level,
// is in force at once. Of everything else the node logs that it has changed and waits
// for a restart; settings.Status has it as well. live belongs to the caller, who closes
// it after the node has left, and may use it for several nodes.
//
// [Join] returns InvalidArgument if live is nil or closed.
func FromSettings(live *settings.Live[Config]) Option {
	return FromSettingsPart(live, func(c *Config) *Config { return c })
}

// FromSettingsPart is [FromSettings] for a program that has a Config among its own
// settings. part returns it; it is called often, and concurrently, and must return a
// part of what it is given. Where that is nil, the node has the defaults.
//
//	cluster.FromSettingsPart(live, func(s *Shop) *cluster.Config { return &s.Cluster })
func FromSettingsPart[T any](live *settings.Live[T], part func(*T) *Config) Option {
	return option(func(c *config) { c.settings = newFeed(live, part) })
}

// feed is where the settings of a node come from.
type feed struct {
	// current returns what they say now, or the defaults.
	current func(defaults *Config) *Config
	// watch calls changed after they have changed, until ctx ends.
	watch func(ctx context.Context, changed func()) error
}

func newFeed[T any](live *settings.Live[T], part func(*T) *Config) *feed {
	f := &feed{
		current: func(defaults *Config) *Config { return cmp.Or(part(live.Get()), defaults) },
		watch: func(ctx context.Context, changed func()) error {
			return live.Watch(ctx, "", func(_, _ *T) { changed() })
		},
	}
	if live == nil || part == nil {
		f.current = nil
	}
	return f
}

// prefix is that of the variables that Join reads.
const prefix = "TROUPE_"

// inEnvironment are the keys of Config that Join reads from the environment. Variables
// beside them may be anybody's, and are only warned of.
const inEnvironment = `cluster name secret certificates.ca certificates.certificate certificates.key
	listen advertise seeds dns state_dir timing voters expect max_message log_level`

func keysInEnvironment() []string { return strings.Fields(inEnvironment) }

// environment returns a source for each variable of a key that is set, so that values
// and errors are those of settings.Env.
func (c *config) environment() []settings.Source {
	var sources []settings.Source
	for _, key := range keysInEnvironment() {
		if source := c.sourceOf(key); source != nil {
			sources = append(sources, source)
		}
	}
	return sources
}

// sourceOf returns the source for the variable of a key, nil if it is not set.
func (c *config) sourceOf(key string) settings.Source {
	name := variableOf(key)
	value := c.getenv(name)
	if value == "" {
		return nil
	}
	return settings.From("environment "+name, variable{key, value})
}

// variableOf returns the variable of a key.
func variableOf(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// variable is a provider of settings, of one key.
type variable struct{ key, value string }

// Read implements koanf.Provider.
func (v variable) Read() (map[string]any, error) {
	var value any = strings.ReplaceAll(v.value, "${", "$${") // no reference to others
	steps := strings.Split(v.key, ".")
	for i := len(steps) - 1; i > 0; i-- {
		value = map[string]any{steps[i]: value}
	}
	return map[string]any{steps[0]: value}, nil
}

// ReadBytes implements koanf.Provider.
func (v variable) ReadBytes() ([]byte, error) {
	return nil, fmt.Errorf("%s is read as values", v.key)
}
