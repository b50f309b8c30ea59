package badgerfile

import (
	"os"
	"regexp"
	"testing"
)

func TestTheFormatsAreThoseOfTheVersionInUse(t *testing.T) {
	content, err := os.ReadFile("../../../../go.mod")
	must(t, err)
	used := regexp.MustCompile(`(?m)^\s*github\.com/dgraph-io/badger/v4 (\S+)`).FindSubmatch(content)
	if used == nil || string(used[1]) != Checked {
		t.Errorf("Badger is %q, and its files were last looked at in %s: see Checked for what to do", used, Checked)
	}
}
