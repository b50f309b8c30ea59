package cluster_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

func TestAVariableThatIsNoKeyIsWarnedOf(t *testing.T) {
	for _, variable := range os.Environ() { // such as those that the tests of the project have
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TROUPE_") {
			t.Setenv(name, value) // and have it back afterwards
			os.Unsetenv(name)
		}
	}
	t.Setenv("TROUPE_SEEDZ", "10.0.0.1:7420")
	t.Setenv("TROUPE_SERVICES_GREETER_WAIT", "true")
	t.Setenv("TROUPE_SERVICES_SERVICE_HOST", "10.96.0.8")
	t.Setenv("TROUPE_SERVICE_HOST", "10.96.0.7")
	t.Setenv("TROUPE_PORT", "tcp://10.96.0.7:80")
	t.Setenv("TROUPE_NAME", "no spaces") // refused: nothing is started
	var log journal
	_, err := cluster.Join(t.Context(), cluster.WithLogger(log.logger(slog.LevelInfo)))
	wantCode(t, "two voters", err, actor.InvalidArgument)
	said := log.take()
	if strings.Count(said, "level=WARN") != 2 || !strings.Contains(said, "TROUPE_SEEDZ") || !strings.Contains(said, "TROUPE_SEEDS") || !strings.Contains(said, "variable=TROUPE_SERVICES_GREETER_WAIT") {
		t.Errorf("it logged %s", said)
	}
	if _, err := cluster.Join(t.Context(), cluster.WithVoters(2), cluster.WithLogger(log.logger(slog.LevelInfo)), quiet()); err == nil || log.take() != "" {
		t.Errorf("an environment of one's own: %v", err)
	}
}

func TestAllThatIsWrongInTheEnvironmentIsToldAtOnce(t *testing.T) {
	_, err := cluster.Join(t.Context(), cluster.WithEnvironment(func(key string) string {
		return map[string]string{
			"TROUPE_CLUSTER": "Not Lower", "TROUPE_NAME": "no spaces", "TROUPE_SECRET": "short", "TROUPE_VOTERS": "two", "TROUPE_EXPECT": "-1",
			"TROUPE_SEEDS": "nowhere, 10.0.0.1:7420, neither", "TROUPE_DNS": "nowhere", "TROUPE_ADVERTISE": "nowhere", "TROUPE_CERTIFICATES_CA": "ca.pem",
		}[key]
	}))
	if err == nil {
		t.Fatal("it joined")
	}
	for _, name := range []string{"CLUSTER", "NAME", "SECRET", "VOTERS", "EXPECT", "SEEDS", "DNS", "ADVERTISE", "CERTIFICATES_CERTIFICATE", "CERTIFICATES_KEY"} {
		if !strings.Contains(err.Error(), "TROUPE_"+name) {
			t.Errorf("nothing about TROUPE_%s in %v", name, err)
		}
	}
	if !strings.Contains(err.Error(), "neither") {
		t.Errorf("nothing about the second seed in %v", err)
	}
}

func TestWhatIsWrongIsToldInTheSameOrder(t *testing.T) {
	c := cluster.Config{Certificates: cluster.Certificates{CA: "ca.pem"}}
	first := c.Validate().Error()
	for range 50 {
		if again := c.Validate().Error(); again != first {
			t.Fatalf("once %q, and once %q", first, again)
		}
	}
}
