package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/settings"
)

// loaded returns what the sources say, and what is wrong with them.
func loaded[T any](t *testing.T, sources ...settings.Source) (*T, error) {
	t.Helper()
	live, err := settings.Load[T](t.Context(), sources...)
	if err != nil {
		return nil, err
	}
	live.Close()
	return live.Get(), nil
}

func document(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// portal has keys with the names of Kubernetes' variables for a Service.
type portal struct {
	Port    int `default:"80"`
	Address string
	Service struct{ Host string }
	Labels  map[string]string
}

func TestVariablesOfKubernetesAreToldApart(t *testing.T) {
	for name, value := range map[string]string{ // for the Services sh and sh-db
		"SH_PORT": "tcp://10.96.0.7:80", "SH_PORT_80_TCP": "tcp://10.96.0.7:80", "SH_PORT_80_TCP_PROTO": "tcp",
		"SH_PORT_80_TCP_PORT": "80", "SH_PORT_80_TCP_ADDR": "10.96.0.7", "SH_SERVICE_HOST": "10.96.0.7",
		"SH_SERVICE_PORT": "80", "SH_SERVICE_PORT_HTTP": "80", "SH_DB_PORT": "udp://[fd00::7]:53",
		"SH_DB_SERVICE_HOST": "fd00::7", "SH_DB_SERVICE_PORT": "53", "SH_ADDRESS": "mine",
	} {
		t.Setenv(name, value)
	}
	got, err := loaded[portal](t, settings.Env("SH_"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Port != 80 || got.Address != "mine" || got.Service.Host != "" || len(got.Labels) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestVariablesThatOnlyLookLikeThoseOfKubernetesCount(t *testing.T) {
	t.Setenv("SH_PORT", "8080")
	t.Setenv("SH_SERVICE_HOST", "db.example")
	t.Setenv("SH_LABELS_PORT", "tcp://10.0.0.1:1")
	got, err := loaded[portal](t, settings.Env("SH_"))
	if err != nil || got.Port != 8080 || got.Service.Host != "db.example" || got.Labels["port"] != "tcp://10.0.0.1:1" {
		t.Errorf("got %+v, %v", got, err)
	}
	t.Setenv("SH_PORT", "http://10.0.0.1:1")
	if _, err := loaded[portal](t, settings.Env("SH_")); err == nil {
		t.Error("a port that is a URL was taken")
	}
}

func TestAVariableIsOfTheEntryThatAFileSpells(t *testing.T) {
	type service struct {
		Wait bool
		Max  int
	}
	type shop struct {
		Services map[string]service
		Labels   map[string]string
	}
	file := settings.File(document(t, "shop.yaml", "services: {shop.orders: {max: 3}, Top-Ten: {max: 4}}\nlabels: {a.b: c}\n"))
	t.Setenv("SH_SERVICES_SHOP_ORDERS_WAIT", "true")
	t.Setenv("SH_SERVICES_TOP_TEN_WAIT", "true")
	t.Setenv("SH_LABELS_A_B", "d")
	for what, sources := range map[string][]settings.Source{
		"the file first": {file, settings.Env("SH_")}, "the variables first": {settings.Env("SH_"), file},
	} {
		got, err := loaded[shop](t, sources...)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Services) != 2 || got.Services["shop.orders"] != (service{true, 3}) || got.Services["Top-Ten"] != (service{true, 4}) || len(got.Labels) != 1 {
			t.Errorf("%s: got %+v", what, got)
		}
	}
	two := settings.Map(map[string]any{"labels": map[string]any{"a-b": "x"}})
	if _, err := loaded[shop](t, file, two, settings.Env("SH_")); err == nil || !strings.Contains(err.Error(), "SH_LABELS_A_B") || !strings.Contains(err.Error(), "a-b") {
		t.Errorf("a variable of two entries: %v", err)
	}
}

func TestValuesAreReadAsTheyWereMeant(t *testing.T) {
	type shop struct {
		Size settings.Size
		Mode uint32
		Text string
		Port int
	}
	bom := document(t, "port", "\ufeff8080\r\n")
	for _, c := range []struct {
		values map[string]any
		want   shop
	}{
		{map[string]any{"size": 65536.0}, shop{Size: 65536}},
		{map[string]any{"size": "65536.0"}, shop{Size: 65536}},
		{map[string]any{"port": "file:" + bom}, shop{Port: 8080}},
		{map[string]any{"text": "$file:x"}, shop{Text: "file:x"}},
		{map[string]any{"text": "$$file:x"}, shop{Text: "$$file:x"}},
		{map[string]any{"text": "a file:x"}, shop{Text: "a file:x"}},
	} {
		if got, err := loaded[shop](t, settings.Map(c.values)); err != nil || *got != c.want {
			t.Errorf("%v: got %+v, %v", c.values, got, err)
		}
	}
	if got, err := loaded[shop](t, settings.Map(map[string]any{"size": "1.5.0"})); err == nil {
		t.Errorf("got %+v", got)
	}
	t.Setenv("SH_TEXT", "$file:${x}")
	if got, err := loaded[shop](t, settings.Env("SH_")); err != nil || got.Text != "file:${x}" {
		t.Errorf("got %+v, %v", got, err)
	}
}
