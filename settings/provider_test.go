package settings_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/parsers/json"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"

	"github.com/troupe-go/troupe/settings"
)

func TestMapsTakeValuesOfGo(t *testing.T) {
	address, err := url.Parse("https://a.example")
	if err != nil {
		t.Fatal(err)
	}
	var noAddress *url.URL
	var noLevel *slog.LevelVar
	burst := uint8(2)
	live := load[config](t, settings.Map(map[string]any{
		"http": map[string]any{"read_timeout": 7 * time.Second}, "http.max_message": settings.Size(1536),
		"ratio": float32(0.5), "small": 7.0, "big": uint64(1<<64 - 1), "level": slog.LevelWarn,
		"allowed": netip.MustParsePrefix("10.0.0.0/8"), "upstream": address, "fallback": noAddress, "listen": noLevel,
		"optional": map[string]*uint8{"burst": &burst}, "count": (*int)(nil), "tags": []any{"a", nil, "b"}, "ports": [2]int{1, 2},
		"labels": map[any]any{"x": "y"}, "token": settings.NewSecret("hush"), "extra": map[string]any{"a": map[string]any{"b": 1}},
	}), settings.Map(map[string]any{"extra.a.c": 1e300, `labels."a.b"`: "z"}))
	got, want := live.Get(), config{
		base: base{Name: "shop"}, Listen: ":8080", Ratio: 0.5, Small: 7, Big: 1<<64 - 1, Level: slog.LevelWarn, Allowed: netip.MustParsePrefix("10.0.0.0/8"),
		Upstream: *address, Optional: &limits{Max: 10, Burst: 2}, Tags: []string{"a", "", "b"}, Ports: []int{1, 2},
		Labels: map[string]string{"x": "y", "a.b": "z"}, Token: settings.NewSecret("hush"),
		Extra: map[string]any{"a": map[string]any{"b": int64(1), "c": 1e300}},
	}
	want.HTTP.ReadTimeout, want.HTTP.MaxMessage = 7*time.Second, 1536
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
}

func TestMapsThatMakeNoSense(t *testing.T) {
	circle := map[string]any{}
	circle["x"] = circle
	for told, values := range map[string]map[string]any{
		"is there twice":         {"http.read_timeout": "1s", "http": map[string]any{"read_timeout": "1s"}},
		"there twice":            {"http": "x", "http.read_timeout": "1s"},
		"is no key":              {"a..b": 1},
		"has the type chan int":  {"any": make(chan int)},
		"beyond the limits":      {"any": circle},
		"did you mean http.read": {"http": map[string]any{"reed_timeout": 1}},
	} {
		if err := refused[config](t, settings.Map(values)); !strings.Contains(err.Error(), told) {
			t.Errorf("%q is not told: %v", told, err)
		}
		if told == "beyond the limits" || told == "has the type chan int" {
			from := &source{read: func() (map[string]any, error) { return values, nil }}
			if err := refused[config](t, settings.From("p", from)); !strings.Contains(err.Error(), told) {
				t.Errorf("%q is not told: %v", told, err)
			}
		}
	}
}

// content is a provider of bytes.
type content string

func (c content) ReadBytes() ([]byte, error)    { return []byte(c), nil }
func (c content) Read() (map[string]any, error) { return nil, errors.ErrUnsupported }

func TestProvidersAndParsersOfKoanf(t *testing.T) {
	t.Setenv("KOANF_HTTP__READ_TIMEOUT", "3s")
	t.Setenv("KOANF_BIG", "5")
	variables := env.Provider(".", env.Opt{Prefix: "KOANF_", TransformFunc: func(name, value string) (string, any) {
		return strings.ReplaceAll(strings.TrimPrefix(name, "KOANF_"), "__", "."), value
	}})
	live := load[config](t, settings.From("bytes", content("name: bytes\nsmall: 3\n"), yaml.Parser()), settings.From("variables", variables))
	if got := live.Get(); got.Name != "bytes" || got.Small != 3 || got.Big != 5 || got.HTTP.ReadTimeout != 3*time.Second {
		t.Errorf("got %+v", got)
	}
	for code, from := range map[settings.Code]settings.Source{
		settings.Malformed:  settings.From("p", content("{"), json.Parser()),
		settings.TooLarge:   settings.From("p", content(strings.Repeat(" ", 1<<20+1)), json.Parser()),
		settings.Unreadable: settings.From("p", content("{}")),
	} {
		err := refused[config](t, from)
		if !errors.Is(err, code) || !strings.HasPrefix(err.Error(), "settings: p: ") {
			t.Errorf("it is not %v: %v", code, err)
		}
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	values := map[string]any{}
	for i := range 10_000 {
		values[fmt.Sprint("unknown", i)] = i
	}
	err := refused[config](t, settings.Map(values))
	if text := err.Error(); !strings.HasPrefix(text, "settings: 10000 problems:") || !strings.HasSuffix(text, "and 9950 more") {
		t.Errorf("%.200s", text)
	}
}

func TestCodesHaveNames(t *testing.T) {
	for code := settings.Unsupported; code <= settings.Closed; code++ {
		if name := code.Error(); name == "" || strings.HasPrefix(name, "code") {
			t.Errorf("%d has no name", code)
		}
	}
	if got := settings.Code(200).String(); got != "code 200" {
		t.Error(got)
	}
}
