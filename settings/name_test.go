package settings

import (
	"slices"
	"testing"
)

func TestCanonicalNames(t *testing.T) {
	for name, want := range map[string]string{
		"Listen": "listen", "ReadTimeout": "read_timeout", "HTTPTimeout": "http_timeout", "URL": "url", "MaxMessageSizeKB": "max_message_size_kb",
		"max-age": "max_age", "max_age": "max_age", "X": "x", "A1B": "a1_b", "": "",
	} {
		if got := snake(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, spelling := range []string{"maxMessage", "max_message", "max-message", "MAX_MESSAGE", "MaxMessage"} {
		if got := fold(spelling); got != "maxmessage" {
			t.Errorf("%s folds to %s", spelling, got)
		}
	}
}

func FuzzPathsAreReadAsTheyWereWritten(f *testing.F) {
	f.Add("a", "b.c", `d"e`)
	f.Add("", `"`, ".")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		want := []string{a, b, c}
		path := join(join(join("", a), b), c)
		if got, ok := split(path); !ok || !slices.Equal(got, want) {
			t.Errorf("%s became %q, want %q", path, got, want)
		}
		split(a + b + c) // whatever it is
	})
}
