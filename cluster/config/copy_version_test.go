package config

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

func TestACopyOfAnotherVersion(t *testing.T) {
	c := newCopyFile(t.TempDir(), "cluster", "document")
	write := func(format string) (content string) {
		t.Helper()
		body := `{` + format + `"cluster":"cluster","document":"document","number":0,"revision":7}`
		content = checksum([]byte(body)) + "\n" + body
		if err := os.WriteFile(c.path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return content
	}
	for _, format := range []string{"", `"format":"1.0",`, `"format":"1.8","new":1,`} {
		write(format)
		if v, err := c.load(); err != nil || v.Revision != 7 {
			t.Errorf("%s: %+v, %v", format, v, err)
		}
	}
	before := write(`"format":"2.0",`)
	if _, err := c.load(); !errors.Is(err, persistence.ErrVersion) || !strings.Contains(err.Error(), c.path+" has version 2.0") {
		t.Errorf("load: %v", err)
	}
	if err := c.save(unwritten()); !errors.Is(err, persistence.ErrVersion) {
		t.Errorf("save: %v", err)
	}
	if after, err := os.ReadFile(c.path); err != nil || string(after) != before {
		t.Errorf("the copy has become %s, %v", after, err)
	}
}
