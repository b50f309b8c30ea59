package settings_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/knadh/koanf/providers/confmap"

	"github.com/troupe-go/troupe/settings"
)

// Shop is the settings of a service.
type Shop struct {
	Listen string `default:":8080" doc:"Where the server listens." reload:"restart"`
	HTTP   struct {
		Timeout time.Duration   `default:"5s" doc:"How long a request may take." validate:"min=1ms"`
		MaxBody settings.Size   `default:"1MiB"`
		Token   settings.Secret `doc:"What clients must know."`
	}
}

// file makes a settings file for the Examples.
func file(content string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "settings")
	if err != nil {
		fmt.Println(err)
	}
	path = filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		fmt.Println(err)
	}
	return path, func() { os.RemoveAll(dir) }
}

func ExampleLoad() {
	path, remove := file("http:\n  timeout: 2s\n  maxBody: 64KiB\n")
	defer remove()

	live, err := settings.Load[Shop](context.Background(),
		settings.File(path),
		settings.OptionalFile("/etc/shop/local.toml"),
		settings.Env("EXAMPLE_SHOP_"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()

	fmt.Println(live.Get().Listen, live.Get().HTTP.Timeout, live.Get().HTTP.MaxBody)
	// Output: :8080 2s 64KiB
}

// What is wrong is told all at once.
func ExampleLoad_errors() {
	_, err := settings.Load[Shop](context.Background(),
		settings.Map(map[string]any{"http.timout": "2s", "http.max_body": true, "listen": 8080}))
	fmt.Println(err)
	// Output:
	// settings: 3 problems:
	//   map: http.max_body: a size such as 64MiB is wanted here, and this is true: correct it
	//   map: http.timout: there is no such key; did you mean http.timeout?
	//   map: listen: a string is wanted here, and this is 8080: put it in quotes
}

func ExampleLive_Watch() {
	path, remove := file("http: {timeout: 2s}")
	defer remove()
	live, err := settings.Load[Shop](context.Background(), settings.File(path))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()

	seen := make(chan bool)
	err = live.Watch(context.Background(), "http.timeout", func(old, new *Shop) {
		fmt.Println("from", old.HTTP.Timeout, "to", new.HTTP.Timeout)
		seen <- true
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// An editor does the same: write, and rename.
	next, removeNext := file("http: {timeout: 3s}")
	defer removeNext()
	if err := os.Rename(next, path); err != nil {
		fmt.Println(err)
	}
	<-seen
	// Output: from 2s to 3s
}

func ExampleLive_Explain() {
	live, err := settings.Load[Shop](context.Background(),
		settings.From("company", confmap.Provider(map[string]any{"http.timeout": "2s"}, ".")),
		settings.Map(map[string]any{"http.timeout": "3s", "http.token": "hunter2"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()

	for _, key := range []string{"http.timeout", "http.token"} {
		explanation, err := live.Explain(key)
		fmt.Println(explanation, err)
	}
	// Output:
	// http.timeout = 3s from map, over company, default <nil>
	// http.token = REDACTED from map <nil>
}

func ExampleSecret() {
	token := settings.NewSecret("hunter2")
	fmt.Printf("%v %+v %d\n", token, struct{ Token settings.Secret }{token}, len(token.Reveal()))
	// Output: REDACTED {Token:REDACTED} 7
}

func ExampleReference() {
	if err := settings.Reference[Shop](os.Stdout, "SHOP_"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// # Where the server listens.
	// # string; default ":8080"; a change needs a restart; SHOP_LISTEN
	// listen: :8080
	//
	// http:
	//   # How long a request may take.
	//   # duration such as 1m30s; default "5s"; rules min=1ms; SHOP_HTTP_TIMEOUT
	//   timeout: 5s
	//
	//   # size such as 64MiB; default "1MiB"; SHOP_HTTP_MAX_BODY
	//   max_body: 1MiB
	//
	//   # What clients must know.
	//   # string; secret; SHOP_HTTP_TOKEN
	//   #token:
}
