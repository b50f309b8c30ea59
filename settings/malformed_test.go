package settings_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/settings"
)

func TestEveryMalformedFileIsRefusedAndTheSettingsStay(t *testing.T) {
	corpus, err := filepath.Glob("testdata/malformed/*")
	if err != nil || len(corpus) < 40 {
		t.Fatalf("the corpus has %d files: %v", len(corpus), err)
	}
	for _, path := range corpus {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			good := map[string]string{".yaml": "name: good", ".json": `{"name": "good"}`, ".toml": "name = 'good'"}[filepath.Ext(path)]
			file := write(t, filepath.Join(t.TempDir(), "c"+filepath.Ext(path)), good)
			synctest.Test(t, func(t *testing.T) {
				live := load[service](t, settings.File(file), settings.WithPolling(time.Second))
				write(t, file, string(content))
				<-time.After(time.Minute)
				if status := live.Status(); status.Err == nil || status.Refusals != 1 || live.Get().Name != "good" {
					t.Errorf("%+v, %+v", live.Get(), status)
				}
				write(t, file, good)
				<-time.After(time.Minute)
				if status := live.Status(); status.Err != nil {
					t.Errorf("it is good again: %+v", status)
				}
			})
		})
	}
}

// FuzzDocuments loads anything as each format: it is loaded or refused, and a reload
// that is refused leaves what was there.
func FuzzDocuments(f *testing.F) {
	corpus, _ := filepath.Glob("testdata/malformed/*")
	for _, path := range corpus {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	for _, good := range []string{yamlConfig, tomlConfig, jsonConfig} {
		f.Add([]byte(good))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, extension := range []string{"yaml", "toml", "json"} {
			path := write(t, filepath.Join(dir, fmt.Sprintf("%d.%s", os.Getpid(), extension)), string(content))
			live, err := settings.Load[config](t.Context(), settings.File(path), settings.WithPolling(time.Hour))
			if err == nil {
				live.Close()
			} else if _, ok := err.(*settings.Error); !ok {
				t.Errorf("%s: %T %v", extension, err, err)
			}
		}
	})
}
