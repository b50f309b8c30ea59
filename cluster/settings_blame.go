package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/settings"
)

// blame names the variables of the environment that gave what err is about. Options may
// have said otherwise than said does.
func (c *config) blame(err error, said *Config) error {
	if err == nil || c.settings != nil {
		return err
	}
	byOptions := c.differing(*said, c.Config)
	var named []error
	for _, part := range parts(err) {
		if wrong, ok := errors.AsType[*keyError](part); ok && !slices.Contains(byOptions, wrong.key) {
			part = fmt.Errorf("environment %s: %w", variableOf(wrong.key), part)
		}
		named = append(named, part)
	}
	return errors.Join(named...)
}

// parts returns the errors that errors.Join has joined.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// besides returns what else is wrong with variables than what keeps them from being read,
// so that all of it is told at once.
func (c *config) besides(ctx context.Context, unreadable error) error {
	wrong, ok := errors.AsType[*settings.Error](unreadable)
	if !ok || c.settings != nil {
		return nil
	}
	var others []settings.Source
	for _, key := range keysInEnvironment() {
		if source := c.sourceOf(key); source != nil && !slices.ContainsFunc(wrong.Problems, func(p settings.Problem) bool { return p.At.Source == "environment "+variableOf(key) }) {
			others = append(others, source)
		}
	}
	live, err := settings.Load[unchecked](ctx, others...)
	if err != nil {
		return nil
	}
	live.Close()
	c.schema = live
	said := c.said()
	c.Config = c.over(said)
	return c.blame(c.Validate(), said)
}

// warnOfVariables warns of variables that look like settings of the node and are none, or
// are not read by Join.
func (c *config) warnOfVariables(ctx context.Context) {
	if c.settings != nil || c.ownEnvironment {
		return
	}
	live, err := settings.Load[unchecked](ctx, settings.Env(prefix))
	if err == nil {
		live.Close()
	}
	if found, ok := errors.AsType[*settings.Error](err); ok {
		for _, p := range found.Problems {
			if p.Code == settings.UnknownKey {
				c.log.Warn("a variable looks like a setting of the node, and is none", "variable", p.At.Source, "hint", p.Message)
			}
		}
	}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); isOfService(name) {
			c.log.Warn("a variable is a setting of a service, which Join does not read", "variable", name, "hint", "load it with settings.Env, and give it to Join with cluster.FromSettings")
		}
	}
}

// isOfService reports whether a variable is that of a key of ServiceConfig, and not one that
// Kubernetes sets for a Service.
func isOfService(name string) bool {
	rest, ok := strings.CutPrefix(name, variableOf("services")+"_")
	return ok && (strings.HasSuffix(rest, "_WAIT") || strings.HasSuffix(rest, "_BALANCER"))
}
