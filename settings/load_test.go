package settings_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/settings"
)

type limits struct {
	Max   int `default:"10"`
	Burst int
}

type base struct {
	Name string `default:"shop"`
}

type config struct {
	base
	Listen string `default:":8080"`
	HTTP   struct {
		ReadTimeout time.Duration `default:"5s"`
		MaxMessage  settings.Size `default:"64MiB"`
	}
	Ratio    float64
	Small    uint8
	Big      uint64
	Debug    bool
	Level    slog.Level
	Allowed  netip.Prefix
	Upstream url.URL
	Fallback *url.URL
	Optional *limits
	Count    *int
	Tags     []string
	Ports    []int
	Peers    []limits
	Labels   map[string]string
	Limits   map[string]limits
	ByName   map[string]*limits
	Extra    map[string]any
	Any      any
	Token    settings.Secret
	Since    time.Time
	Hidden   func() `koanf:"-"`
	private  int
}

const yamlConfig = `
name: store
listen: ":9"
http: {read_timeout: 7s, max-message: 1KiB}
ratio: 0.5
small: 255
big: 18446744073709551615
debug: true
level: WARN
allowed: 10.0.0.0/8
upstream: https://a.example/x
fallback: https://b.example
optional: {burst: 2}
count: 3
tags: [a, b]
ports: [1, 2]
peers: [{max: 1}, {burst: 2}]
labels: {a.b: c}
limits: {login: {max: 1}, logout: {}}
by_name: {x: {burst: 1}}
extra: {n: 9007199254740993, f: 1.5, l: [1, x], m: {t: true}}
any: text
token: hush
since: 2026-01-02T03:04:05Z
`

const tomlConfig = `
name = "store"
listen = ":9"
ratio = 0.5
small = 255
big = "file:big"
debug = true
level = "WARN"
allowed = "10.0.0.0/8"
upstream = "https://a.example/x"
fallback = "https://b.example"
count = 3
tags = ["a", "b"]
ports = [1, 2]
any = "text"
token = "hush"
since = 2026-01-02T03:04:05Z
optional.burst = 2
labels."a.b" = "c"
limits.login.max = 1
limits.logout = {}
by_name.x.burst = 1
extra = {n = 9007199254740993, f = 1.5, l = [1, "x"], m = {t = true}}
[http]
readTimeout = "7s"
MAX_MESSAGE = 1024
[[peers]]
max = 1
[[peers]]
burst = 2
`

const jsonConfig = `{
"name": "store", "listen": ":9", "http": {"ReadTimeout": "7s", "maxmessage": "1KiB"}, "ratio": 0.5, "small": 255,
"big": 18446744073709551615, "debug": true, "level": "WARN", "allowed": "10.0.0.0/8", "upstream": "https://a.example/x",
"fallback": "https://b.example", "optional": {"burst": 2}, "count": 3, "tags": ["a", "b"], "ports": [1, 2],
"peers": [{"max": 1}, {"burst": 2}], "labels": {"a.b": "c"}, "limits": {"login": {"max": 1}, "logout": {}},
"by_name": {"x": {"burst": 1}}, "extra": {"n": 9007199254740993, "f": 1.5, "l": [1, "x"], "m": {"t": true}},
"any": "text", "token": "hush", "since": "2026-01-02T03:04:05Z"}`

func wantConfig(t *testing.T) config {
	t.Helper()
	address := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	three := 3
	want := config{
		base: base{Name: "store"}, Listen: ":9", Ratio: 0.5, Small: 255, Big: 1<<64 - 1, Debug: true, Level: slog.LevelWarn,
		Allowed: netip.MustParsePrefix("10.0.0.0/8"), Upstream: *address("https://a.example/x"), Fallback: address("https://b.example"),
		Optional: &limits{Max: 10, Burst: 2}, Count: &three, Tags: []string{"a", "b"}, Ports: []int{1, 2},
		Peers: []limits{{Max: 1}, {Max: 10, Burst: 2}}, Labels: map[string]string{"a.b": "c"},
		Limits: map[string]limits{"login": {Max: 1}, "logout": {Max: 10}}, ByName: map[string]*limits{"x": {Max: 10, Burst: 1}},
		Extra: map[string]any{"n": int64(9007199254740993), "f": 1.5, "l": []any{int64(1), "x"}, "m": map[string]any{"t": true}},
		Any:   "text", Token: settings.NewSecret("hush"), Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	want.HTTP.ReadTimeout, want.HTTP.MaxMessage = 7*time.Second, 1024
	return want
}

func TestEachFormatFillsEachType(t *testing.T) {
	for name, content := range map[string]string{"c.yaml": yamlConfig, "c.yml": "\ufeff" + yamlConfig, "c.toml": tomlConfig, "c.json": jsonConfig} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "big"), "18446744073709551615\n")
			got := load[config](t, settings.File(write(t, filepath.Join(dir, name), content))).Get()
			if want := wantConfig(t); !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
		})
	}
}

func TestDefaultsCountWhereNoSourceSaysAnything(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "c.yaml"), "listen: null\nhttp:\n# nothing\n")
	got := load[config](t, settings.File(path)).Get()
	want := config{base: base{Name: "shop"}, Listen: ":8080"}
	want.HTTP.ReadTimeout, want.HTTP.MaxMessage = 5*time.Second, 64<<20
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

func TestLaterSourcesWinAndMapsMerge(t *testing.T) {
	t.Setenv("SHOP_HTTP_READ_TIMEOUT", "3s")
	t.Setenv("SHOP_TAGS", "x, y")
	t.Setenv("SHOP_LABELS_TEAM", "red")
	t.Setenv("SHOP_LIMITS_LOGIN_MAX", "9")
	t.Setenv("SHOP_MAXIMUM_AGE", "of another program")
	dir := t.TempDir()
	set := flag.NewFlagSet("shop", flag.ContinueOnError)
	set.String("config", "", "for the program alone")
	set.Duration("http-read-timeout", time.Hour, "")
	set.Bool("debug", false, "")
	set.Int("small", 1, "not given")
	if err := set.Parse([]string{"-config=x", "-debug", "-http-read-timeout", "1s"}); err != nil {
		t.Fatal(err)
	}
	live := load[config](t,
		settings.Map(map[string]any{"http.max_message": "1KiB", "labels": map[string]any{"a": "map", "b": "map"}, "tags": []string{"m"}, "small": 7}),
		settings.File(write(t, filepath.Join(dir, "c.yaml"), "http: {read_timeout: 9s}\nlabels: {b: file, c: file}\nlimits: {login: {burst: 4}}\n")),
		settings.OptionalFile(filepath.Join(dir, "absent.toml")),
		settings.Folder(filepath.Join(dir, "absent")),
		settings.Env("SHOP_", "maximum_age"),
		settings.Flags(set),
	)
	got := live.Get()
	if got.HTTP.ReadTimeout != time.Second || got.HTTP.MaxMessage != 1024 || !got.Debug || got.Small != 7 {
		t.Errorf("got %+v", got)
	}
	if want := []string{"x", "y"}; !reflect.DeepEqual(got.Tags, want) {
		t.Errorf("tags are %q, want %q", got.Tags, want)
	}
	if want := map[string]string{"a": "map", "b": "file", "c": "file", "team": "red"}; !reflect.DeepEqual(got.Labels, want) {
		t.Errorf("labels are %q, want %q", got.Labels, want)
	}
	if want := (limits{Max: 9, Burst: 4}); got.Limits["login"] != want {
		t.Errorf("limits are %+v, want %+v", got.Limits["login"], want)
	}
}

func TestAFolderIsReadInTheOrderOfNames(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "20.toml"), `name = "second"`)
	write(t, filepath.Join(dir, "10.yaml"), "name: first\nlisten: first")
	write(t, filepath.Join(dir, ".30.yaml"), "name: hidden")
	write(t, filepath.Join(dir, "40.yaml~"), "name: of an editor")
	write(t, filepath.Join(dir, "50.yaml", "c.yaml"), "name: in a folder")
	got := load[config](t, settings.Folder(dir)).Get()
	if got.Name != "second" || got.Listen != "first" {
		t.Errorf("got %q and %q", got.Name, got.Listen)
	}
}

func TestReferencesAreReplaced(t *testing.T) {
	t.Setenv("HOST_NAME", "a.example")
	t.Setenv("PORT_NUMBER", "8")
	t.Setenv("EMPTY", "")
	t.Setenv("SHOP_TOKEN", "file:"+write(t, filepath.Join(t.TempDir(), "token"), "from a file\r\n"))
	t.Setenv("SHOP_ANY", "${HOST_NAME}")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secrets", "list"), "a,b\n")
	path := write(t, filepath.Join(dir, "c.yaml"), `
listen: ${HOST_NAME}:${PORT_NUMBER}
small: ${PORT_NUMBER}
name: $${HOST_NAME} costs $5 ${EMPTY:-or more}
tags: file:secrets/${EMPTY:-list}
labels: {file: "file:///etc/passwd", literal: "${EMPTY:-file:x}"}
extra: {deep: ["${HOST_NAME}"]}
`)
	got := load[config](t, settings.File(path), settings.Env("SHOP_")).Get()
	if got.Listen != "a.example:8" || got.Small != 8 || got.Name != "${HOST_NAME} costs $5 or more" ||
		got.Token.Reveal() != "from a file" || got.Any != "${HOST_NAME}" ||
		fmt.Sprint(got.Tags, got.Labels, got.Extra) != "[a b] map[file:file:///etc/passwd literal:file:x] map[deep:[a.example]]" {
		t.Errorf("got %+v", got)
	}
}

func TestAllProblemsAreToldWithTheirPlaces(t *testing.T) {
	t.Setenv("SHOP_HTPP_READ_TIMEOUT", "1s")
	t.Setenv("SHOP_SMALL", "many")
	dir := t.TempDir()
	yaml := write(t, filepath.Join(dir, "a.yaml"), `
http:
  read_timout: 5s
  max_message: 1.5
listen: 8080
small: 256
peers:
  - max: 1
  - maks: "2"
    max: "2"
level: LOUD
any: ${UNSET_VARIABLE}
name: file:absent
token: {a: b}
`)
	toml := write(t, filepath.Join(dir, "b.toml"), "debug = \"true\"\n[[peers]]\n[[peers]]\nburst = []\n[optional]\nmax = -1.5\n[by_name]\nx = {max = 1,\nburst = true}\n")
	json := write(t, filepath.Join(dir, "c.json"), "{\n\"tags\": \"a\",\n\"readTimeout\": 1,\n\"max_message\": 1, \"ratio\":\n true, \"small\": \"few\"\n}")
	err := refused[config](t, settings.File(yaml), settings.File(toml), settings.File(json), settings.Env("shop_"))
	for _, want := range []string{
		"a.yaml:3: http.read_timout: there is no such key; did you mean http.read_timeout?",
		"a.yaml:4: http.max_message: 1.5 is malformed",
		"a.yaml:5: listen: a string is wanted here, and this is 8080: put it in quotes",
		"a.yaml:6: small: a whole number, not negative, of 8 bits is wanted here, and this is 256",
		"a.yaml:9: peers.maks: there is no such key; did you mean peers.max?",
		`a.yaml:10: peers[1].max: a whole number is wanted here, and this is "2": write it without quotes`,
		`a.yaml:11: level: "LOUD" is malformed`,
		"a.yaml:12: any: the environment variable UNSET_VARIABLE is not set",
		"a.yaml:13: name: the file it refers to cannot be read",
		"a.yaml:14: token: a string is wanted here",
		"b.toml:1: debug: a boolean, true or false, is wanted",
		"b.toml:4: peers[1].burst: a whole number is wanted here, and this is a list",
		"b.toml:6: optional.max: a whole number is wanted here, and this is -1.5",
		"b.toml:9: by_name.x.burst: a whole number is wanted here, and this is true",
		"c.json:2: tags: a list is wanted here",
		"c.json:3: readTimeout: there is no such key; did you mean http.read_timeout?",
		"c.json:4: max_message: there is no such key; did you mean http.max_message?",
		"c.json:4: ratio: a number is wanted here, and this is true",
		`c.json:5: small: a whole number, not negative, of 8 bits is wanted here, and this is "few": correct it`,
		"environment SHOP_HTPP_READ_TIMEOUT: no key has this variable; did you mean SHOP_HTTP_READ_TIMEOUT?",
		`environment SHOP_SMALL: small: a whole number, not negative, of 8 bits is wanted here, and this is "many": correct it`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	broken, ok := errors.AsType[*settings.Error](err)
	if !ok || len(broken.Problems) != 21 {
		t.Errorf("%d problems:\n%v", len(broken.Problems), err)
	}
	for _, code := range []settings.Code{settings.UnknownKey, settings.WrongType, settings.BadReference} {
		if !errors.Is(err, code) {
			t.Errorf("it is not %v", code)
		}
	}
	if errors.Is(err, settings.Malformed) || errors.Is(err, io.EOF) {
		t.Error("it is what it is not")
	}
}

func TestSecretsAreNotInErrors(t *testing.T) {
	type secretive struct {
		Password settings.Secret `validate:"min=20"`
		PIN      int             `secret:"true"`
		Level    slog.Level      `secret:"true"`
		Key      string          `secret:"true" validate:"len=3"`
		Where    url.URL
	}
	for _, values := range []map[string]any{
		{"pin": "hunter2"}, {"level": "hunter2"}, {"password": []string{"hunter2"}}, {"where": "http://u:hunter2@%zz"},
		{"key": "hunter2", "password": "long enough for the rule"}, {"password": "hunter2", "key": "abc"},
	} {
		if err := refused[secretive](t, settings.Map(values)); strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	}
}

func TestDocumentsThatAreMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		code          settings.Code
		told          string
	}{
		"empty":             {"c.yaml", "", settings.Malformed, "just being written"},
		"unknown format":    {"c.ini", "a=1", settings.Malformed, "c.ini: it ends in none of"},
		"not text":          {"c.yaml", "a: \xff", settings.Malformed, "UTF-8"},
		"list":              {"c.yaml", "- a", settings.Malformed, "c.yaml:1: it is a list"},
		"YAML":              {"c.yaml", "a: 1\nb: [1\nc: 2", settings.Malformed, "c.yaml:"},
		"two documents":     {"c.yaml", "name: a\n---\nname: b", settings.Malformed, "second document"},
		"YAML key twice":    {"c.yaml", "name: a\n\nname: b", settings.Malformed, "c.yaml:3: the key name is there twice, first in line 1"},
		"spelled twice":     {"c.yaml", "by_name: {}\nbyName: {}", settings.Malformed, "is there twice"},
		"YAML tag":          {"c.yaml", "name: !secret a", settings.Malformed, "c.yaml:1: the tag !secret"},
		"YAML key":          {"c.yaml", "[a]: b", settings.Malformed, "a key must be a string"},
		"not a number":      {"c.yaml", "ratio: .nan", settings.Malformed, "not a number"},
		"merge":             {"c.yaml", "<<: [1]", settings.Malformed, "<< merges maps"},
		"alias in itself":   {"c.yaml", "extra: &a {b: *a}", settings.TooLarge, "limits"},
		"deep YAML":         {"c.yaml", "any: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), settings.TooLarge, "limits"},
		"deep JSON":         {"c.json", `{"any": ` + strings.Repeat("[", 1<<19), settings.TooLarge, "limits"},
		"deep TOML":         {"c.toml", "any = " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), settings.TooLarge, "limits"},
		"long TOML path":    {"c.toml", "any" + strings.Repeat(".a", 5000) + " = 1", settings.TooLarge, "limits"},
		"many TOML keys":    {"c.toml", strings.Repeat("[a]\n", 10_000), settings.TooLarge, "5000 keys"},
		"many inline keys":  {"c.toml", "any = [{" + strings.Repeat("a.b.c.d = 1, ", 10_000) + "}]", settings.TooLarge, "5000 keys"},
		"many values":       {"c.yaml", "any: [" + strings.Repeat("1,", 30_000) + "]", settings.TooLarge, "limits"},
		"large":             {"c.yaml", "#" + strings.Repeat(" ", 1<<20), settings.TooLarge, "1048576 bytes"},
		"JSON":              {"c.json", "{\n\"name\": \"a\",\n}", settings.Malformed, "c.json:3: this is not JSON"},
		"JSON ends":         {"c.json", "{\n\"name\": \"a\"\n", settings.Malformed, "c.json:2: this is not JSON: it ends too early"},
		"JSON goes on":      {"c.json", "{}\n{}", settings.Malformed, "behind the end"},
		"JSON key twice":    {"c.json", "{\"name\": \"a\",\n\"name\": \"b\"}", settings.Malformed, "c.json:2: the key name is there twice, first in line 1"},
		"TOML":              {"c.toml", "name = \"a\"\nlisten = ", settings.Malformed, "c.toml:2: this is not TOML"},
		"TOML key twice":    {"c.toml", "name = \"a\"\n\nname = \"b\"", settings.Malformed, "c.toml:3: this is not TOML"},
		"reference":         {"c.yaml", "name: ${", settings.BadReference, "none"},
		"reference by name": {"c.yaml", "name: ${a b}", settings.BadReference, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused[config](t, settings.File(write(t, filepath.Join(t.TempDir(), c.file), c.content)))
			if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.told) {
				t.Errorf("it is not %v and %q: %.300v", c.code, c.told, err)
			}
		})
	}
}

func TestAnAliasBombIsRefused(t *testing.T) {
	bomb := "extra:\n  a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("  %c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 8), c-1)
	}
	if err := refused[config](t, settings.File(write(t, filepath.Join(t.TempDir(), "c.yaml"), bomb))); !errors.Is(err, settings.TooLarge) {
		t.Error(err)
	}
}

func TestAliasesAndMergesWork(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "c.yaml"), "limits:\n  a: &a {max: 1, burst: 1}\n  b: {<<: *a, max: 2}\n  c: {<<: [{burst: 3}, *a]}\n  d: *a\n")
	got := load[config](t, settings.File(path)).Get().Limits
	want := map[string]limits{"a": {1, 1}, "b": {2, 1}, "c": {1, 3}, "d": {1, 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for _, source := range []settings.Source{settings.File(filepath.Join(dir, "absent.yaml")), settings.File(dir), settings.OptionalFile(dir)} {
		if err := refused[config](t, source); !errors.Is(err, settings.Unreadable) {
			t.Error(err)
		}
	}
}

func TestStructsThatCannotBeSet(t *testing.T) {
	type node struct{ Next map[string]node }
	for name, err := range map[string]error{
		"channel":   refused[struct{ C chan int }](t),
		"map key":   refused[struct{ M map[int]int }](t),
		"recursive": refused[node](t),
		"no struct": refused[int](t),
		"same key":  refused[struct{ MaxAge, Max_Age int }](t), //nolint:revive // it is about such a name
		"bad default": refused[struct {
			A int `default:"x"`
		}](t),
		"bad rule": refused[struct {
			A int `validate:"nonsense"`
		}](t),
		"no prefix": refused[struct{}](t, settings.Env("")),
	} {
		if !errors.Is(err, settings.Unsupported) && name != "bad default" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVariablesThatMayMeanTwoKeys(t *testing.T) {
	type ambiguous struct {
		A  struct{ BC int }
		AB struct{ C int }
	}
	t.Setenv("SHOP_A_BC", "1")
	t.Setenv("SHOP_AB_C", "2")
	if got := load[ambiguous](t, settings.Env("SHOP_")).Get(); got.A.BC != 1 || got.AB.C != 2 {
		t.Errorf("got %+v", got)
	}
	t.Setenv("SHOP_ABC", "3")
	err := refused[ambiguous](t, settings.Env("SHOP_"))
	if !strings.Contains(err.Error(), "it may stand for a.bc or ab.c: write it as A_BC or AB_C") {
		t.Error(err)
	}
}

func TestWhatIsNilIsNotThere(t *testing.T) {
	live := load[service](t, nil, settings.Flags(nil), settings.WithLogger(nil), settings.Map(nil))
	if got := live.Get().Name; got != "none" {
		t.Errorf("got %q", got)
	}
}

func TestLoadHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	defer close(release)
	stuck := &source{read: func() (map[string]any, error) { cancel(); <-release; return nil, nil }}
	if _, err := settings.Load[config](ctx, settings.From("stuck", stuck)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// source is a provider made of functions.
type source struct {
	read  func() (map[string]any, error)
	watch func(func(any, error)) error
	end   func() error
}

func (s *source) ReadBytes() ([]byte, error)    { return nil, errors.ErrUnsupported }
func (s *source) Read() (map[string]any, error) { return s.read() }
func (s *source) Watch(cb func(any, error)) error {
	if s.watch == nil {
		return nil
	}
	return s.watch(cb)
}
func (s *source) Unwatch() error {
	if s.end == nil {
		return nil
	}
	return s.end()
}
