package cluster_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/settings"
)

var update = flag.Bool("update", false, "write docs/settings-reference.yaml")

const referenceHeader = `# All settings of a node: of cluster.Config, as settings.Load reads them from a file,
# with the names of the variables for settings.Env("TROUPE_"). Written by
# go test ./cluster -run TestTheReferenceIsTrue -update

`

func reference(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := settings.Reference[cluster.Config](&out, "TROUPE_"); err != nil {
		t.Fatal(err)
	}
	return referenceHeader + out.String()
}

func TestTheReferenceIsTrue(t *testing.T) {
	name := filepath.Join("..", "docs", "settings-reference.yaml")
	if *update {
		if err := os.WriteFile(name, []byte(reference(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := os.ReadFile(name); err != nil || string(found) != reference(t) {
		t.Errorf("docs/settings-reference.yaml is not what cluster.Config says (%v): run go test ./cluster -run %s -update", err, t.Name())
	}
	from := func(sources ...settings.Source) *cluster.Config {
		live, err := settings.Load[cluster.Config](t.Context(), sources...)
		if err != nil {
			t.Fatal(err)
		}
		live.Close()
		return live.Get()
	}
	if file, defaults := from(settings.File(name)), from(); fmt.Sprintf("%+v", file) != fmt.Sprintf("%+v", defaults) {
		t.Errorf("the file says %+v, the defaults are %+v", file, defaults)
	}
}

func TestJoinReadsTheVariablesThatTheReferenceNames(t *testing.T) {
	asked := make(map[string]bool)
	_, err := cluster.Join(t.Context(), cluster.WithVoters(2), cluster.WithEnvironment(func(key string) string {
		asked[key] = true
		return ""
	}))
	wantCode(t, "two voters", err, actor.InvalidArgument)
	var named []string
	for line := range strings.Lines(reference(t)) {
		if name := regexp.MustCompile(`; (TROUPE_[A-Z_]+)$`).FindStringSubmatch(strings.TrimSpace(line)); name != nil {
			named = append(named, name[1])
		}
	}
	if got := slices.Sorted(maps.Keys(asked)); len(named) < 10 || !slices.Equal(got, slices.Sorted(slices.Values(named))) {
		t.Errorf("Join reads %v\nthe reference names %v", got, named)
	}
}

func TestTheReferenceSaysWhatNeedsNoRestart(t *testing.T) {
	var live []string
	before := ""
	for line := range strings.Lines(reference(t)) {
		key := regexp.MustCompile(`^#?([a-z_]+):`).FindStringSubmatch(line)
		if key != nil && strings.HasPrefix(before, "# ") && !strings.Contains(before, "needs a restart") {
			live = append(live, key[1])
		}
		before = line
	}
	if !slices.Equal(live, []string{"log_level", "services"}) { // what a node follows
		t.Errorf("no restart is needed for %v", live)
	}
}

func TestMistakesInTheEnvironmentNameTheVariable(t *testing.T) {
	for name, value := range map[string]string{
		"TROUPE_VOTERS": "two", "TROUPE_EXPECT": "-1", "TROUPE_MAX_MESSAGE": "large", "TROUPE_TIMING": "fast", "TROUPE_LOG_LEVEL": "loud",
	} {
		_, err := cluster.Join(t.Context(), cluster.WithEnvironment(func(key string) string {
			return map[string]string{name: value}[key]
		}))
		if actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), name+":") {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestSettingsRefuseWhatANodeCannotUse(t *testing.T) {
	for key, value := range map[string]any{
		"cluster": "Not Lower", "name": "no spaces", "secret": "short", "seeds": []any{"nowhere"}, "dns": "nowhere", "advertise": "nowhere",
		"voters": 2, "expect": 9, "max_message": "2GiB", "timing": "fast", "log_level": "loud",
		"certificates.ca": "ca.pem", "services": map[string]any{"orders": map[string]any{"balancer": "best"}},
	} {
		live, err := settings.Load[cluster.Config](t.Context(), settings.Map(map[string]any{key: value}))
		if err == nil {
			live.Close()
			t.Errorf("%s: %v was taken", key, value)
		} else if name, _, _ := strings.Cut(key, "."); !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v does not name it", key, err)
		} else if key == "secret" && strings.Contains(err.Error(), "short") {
			t.Errorf("%v shows the secret", err)
		}
	}
}
