package settings_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/settings"
)

type explained struct {
	HTTP struct {
		Timeout time.Duration `default:"5s"`
		Proxy   url.URL
	}
	Level    slog.Level `default:"INFO"`
	Password string     `secret:"true"`
	Token    settings.Secret
	Vault    struct {
		Path string
		Keys []string
	} `secret:"true"`
	Labels map[string]string
	Peers  []struct {
		Name string
		Key  string `secret:"true"`
	}
	Pause *time.Duration
	Any   any
}

func TestExplainNamesTheSourceAndWhatItIsOver(t *testing.T) {
	t.Setenv("SHOP_HTTP_TIMEOUT", "7s")
	dir := t.TempDir()
	first := write(t, filepath.Join(dir, "a.yaml"), `# comment
http:
  timeout: 6s
  proxy: http://user:hunter2@proxy
password: hunter2
token: hunter2
vault: {path: hunter2, keys: [hunter2]}
labels: {a.b: one, c: two}
peers: [{name: x, key: hunter2}]
any: {x: [1]}
`)
	second := write(t, filepath.Join(dir, "b.toml"), "\n[labels]\nc = 'three'\n")
	live := load[explained](t, settings.File(first), settings.File(second), settings.Env("SHOP_"))
	for key, want := range map[string]string{
		"HTTP.Timeout":   "http.timeout = 7s from environment SHOP_HTTP_TIMEOUT, over a.yaml:3, default",
		"http.proxy":     "http.proxy = http://user:xxxxx@proxy from a.yaml:4",
		"level":          "level = INFO from default",
		"password":       "password = REDACTED from a.yaml:5",
		"token":          "token = REDACTED from a.yaml:6",
		"vault.path":     "vault.path = REDACTED from a.yaml:7",
		"vault.keys":     "vault.keys = REDACTED from a.yaml:7",
		`labels."a.b"`:   `labels."a.b" = one from a.yaml:8`,
		"labels.c":       "labels.c = three from b.toml:3, over a.yaml:8",
		"labels":         `labels = {"a.b": "one", c: "three"} from b.toml:2, over a.yaml:8`,
		"labels.missing": "labels.missing = , which no source gives",
		"peers":          `peers = [{name: "x", key: REDACTED}] from a.yaml:9`,
		"pause":          "pause = , which no source gives",
		"any":            "any = map[x:[1]] from a.yaml:10",
	} {
		e, err := live.Explain(key)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := strings.ReplaceAll(e.String(), dir+string(filepath.Separator), ""); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for key, want := range map[string]string{
		"http.timout":     "did you mean http.timeout?",
		"http":            "this is a group",
		"":                "this is a group",
		"level.x":         "there are no keys below level",
		`labels."unended`: "no path",
		"a..b":            "no path",
	} {
		if _, err := live.Explain(key); !errors.Is(err, settings.UnknownKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestChangedNamesFields(t *testing.T) {
	live := load[config](t)
	old, new := config{Optional: &limits{}}, config{Optional: &limits{Max: 1}, Fallback: new(url.URL), Labels: map[string]string{}}
	new.Name, new.HTTP.ReadTimeout, new.private = "x", 1, 2
	if got, want := live.Changed(&old, &new), []string{"name", "http.read_timeout", "fallback", "optional.max", "labels"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	new.Optional = nil
	if got := live.Changed(&old, &new); !slices.Contains(got, "optional") {
		t.Errorf("got %q", got)
	}
	if got := live.Changed(&new, &new); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestASecretIsNotPrinted(t *testing.T) {
	secret := settings.NewSecret("hunter2")
	holder := struct {
		Public  settings.Secret
		private settings.Secret
	}{secret, secret}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "holder", holder)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		log.WriteString(fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, &holder) + fmt.Sprintf(verb, []settings.Secret{secret}))
	}
	if strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), fmt.Sprintf("%x", "hunter2")) {
		t.Error(log.String())
	}
	if secret.Reveal() != "hunter2" || secret.IsZero() || !settings.NewSecret("").IsZero() || (settings.Secret{}).Reveal() != "" {
		t.Error("it is not what was given")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]settings.Size{
		"0": 0, "7": 7, "64MiB": 64 << 20, "64 MB": 64_000_000, "1.5KiB": 1536, "1g": 1_000_000_000, "9007199254740993": 9007199254740993, "9223372036854775807": 1<<63 - 1,
	} {
		var got settings.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %d, want %d: %v", text, got, want, err)
		}
		var again settings.Size
		if err := again.UnmarshalText([]byte(want.String())); err != nil || again != want {
			t.Errorf("%d is written as %s, which is %d: %v", want, want, again, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "-1KiB", "1e3", "MiB", "9223372036854775808", "16EiB", "1 x"} {
		var got settings.Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	if got := settings.Size(1 << 60).String(); got != "1EiB" {
		t.Error(got)
	}
}

type rules struct {
	inner
	Port   int             `validate:"min=1,max=9"`
	Peers  []peer          `validate:"dive"`
	ByName map[string]peer `validate:"dive"`
	Pin    string          `secret:"true" validate:"len=4"`
	Need   string          `validate:"required"`
}

type inner struct {
	Mode string `validate:"oneof=a b"`
}

func (i inner) Validate() error {
	if i.Mode == "b" {
		return errors.New("b is not available: use a")
	}
	return nil
}

type peer struct {
	Name string `validate:"min=2"`
}

func (p *peer) Validate() error {
	if p.Name == "evil" {
		return errors.New("it is evil")
	}
	return nil
}

func TestRulesOfWhatIsNotThere(t *testing.T) {
	type absent struct {
		Count *int            `validate:"min=1"`
		Token settings.Secret `validate:"required"`
		Where *url.URL        `validate:"required"`
	}
	err := refused[absent](t)
	if broken, _ := errors.AsType[*settings.Error](err); len(broken.Problems) != 3 {
		t.Error(err)
	}
	load[absent](t, settings.Map(map[string]any{"count": 1, "token": "x", "where": "/y"}))
}

func TestRulesNameTheKeyAndItsPlace(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.yaml"), `
mode: c
port: 10
peers:
  - name: x
by_name:
  y:
    name: z
pin: secret
`)
	err := refused[rules](t, settings.File(path))
	for _, want := range []string{
		`a.yaml:2: mode: it breaks the rule oneof=a b with "c": correct it`,
		`a.yaml:3: port: it breaks the rule max=9 with "10": correct it`,
		`a.yaml:4: peers[0].name: it breaks the rule min=2 with "x": correct it`,
		`a.yaml:8: by_name.y.name: it breaks the rule min=2 with "z": correct it`,
		`a.yaml:9: pin: it breaks the rule len=4: correct it`,
		`  need: a value is required: set it`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if broken, _ := errors.AsType[*settings.Error](err); len(broken.Problems) != 6 {
		t.Error(err)
	}
	err = refused[rules](t, settings.Map(map[string]any{
		"mode": "b", "port": 1, "need": "x", "pin": "1234", "peers": []any{map[string]any{"name": "evil"}}, "by_name.k.name": "evil"}))
	for _, want := range []string{"map: b is not available: use a", "map: peers[0]: it is evil", "map: by_name.k: it is evil"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if broken, _ := errors.AsType[*settings.Error](err); len(broken.Problems) != 3 || !errors.Is(err, settings.Invalid) {
		t.Error(err)
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	type shop struct {
		Limit int    `validate:"max=3"`
		Size  int    `validate:"min=1"`
		Name  string `validate:"required"`
	}
	t.Setenv("SH_LIMIT", "7")
	t.Setenv("SH_SIZE", "many")
	t.Setenv("SH_NAEM", "x")
	err := refused[shop](t, settings.Env("SH_"))
	for what, count := range map[string]int{"SH_LIMIT: limit:": 1, "SH_SIZE: size:": 1, "SH_NAEM:": 1, "name: a value is required": 1, "min=1": 0} {
		if strings.Count(err.Error(), what) != count {
			t.Errorf("%q is not there %d times in %v", what, count, err)
		}
	}
	file := write(t, filepath.Join(t.TempDir(), "shop.yaml"), "limit: [")
	if err := refused[shop](t, settings.File(file)); strings.Contains(err.Error(), "required") {
		t.Errorf("what cannot be read is said to be missing: %v", err)
	}
}

// whole is refused as a whole.
type whole struct {
	From int
	To   int
	Name string
}

func (w whole) Validate() error {
	if w.From > w.To {
		return errors.New("from is after to")
	}
	return nil
}

func TestNoVariableIsBlamedForTheWhole(t *testing.T) {
	t.Setenv("SH_NAME", "x")
	err := refused[whole](t, settings.Map(map[string]any{"from": 2}), settings.Env("SH_"))
	if !strings.Contains(err.Error(), "from is after to") || strings.Contains(err.Error(), "SH_NAME") {
		t.Errorf("got %v", err)
	}
	type outer struct{ Range whole }
	t.Setenv("SH_RANGE_NAME", "x")
	t.Setenv("SH_NAME", "")
	err = refused[outer](t, settings.Map(map[string]any{"range": map[string]any{"from": 2}}), settings.Env("SH_", "NAME"))
	if !strings.Contains(err.Error(), "range: from is after to") || strings.Contains(err.Error(), "SH_RANGE_NAME") {
		t.Errorf("got %v", err)
	}
}
