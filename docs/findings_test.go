package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// findingParts are the comments that each script in findings/ has, in this order.
const findingParts = "# Version:\n# Expected:\n# Seen:"

// TestFindingsHaveTheirForm checks what findings/README.md asks for.
func TestFindingsHaveTheirForm(t *testing.T) {
	for _, e := range readFindings(t) {
		path := filepath.Join(root, "findings", e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		executable := runtime.GOOS == "windows" || info.Mode()&0o111 == 0o111
		for _, fault := range findingFaults(e.Name(), executable, string(script)) {
			t.Errorf("findings/%s %s: see findings/README.md", e.Name(), fault)
		}
	}
}

func readFindings(t *testing.T) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "findings"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(entries, func(e os.DirEntry) bool { return e.Name() == "README.md" })
	if i < 0 {
		t.Fatal("findings/README.md is missing: it says what goes in there")
	}
	return slices.Delete(entries, i, i+1)
}

// findingFaults says what is wrong with a script.
func findingFaults(name string, executable bool, script string) (faults []string) {
	if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*\.sh$`).MatchString(name) {
		faults = append(faults, "is not named as name-of-it.sh")
	}
	if !executable {
		faults = append(faults, "is not executable")
	}
	if !strings.HasPrefix(script, "#!") {
		faults = append(faults, "does not say what runs it")
	}
	rest := script
	for part := range strings.Lines(findingParts) {
		part = strings.TrimSpace(part)
		_, after, found := strings.Cut(rest, "\n"+part)
		if !found {
			faults = append(faults, "does not state in its turn: "+part)
			continue
		}
		rest = after
	}
	return faults
}

func TestFindingsAreJudged(t *testing.T) {
	const good = "#!/bin/sh\n# Version: 1\n# Expected: this\n# Seen: that\n"
	for _, c := range []struct {
		name       string
		executable bool
		script     string
		faults     int
	}{
		{"badger-value-log-grows.sh", true, good, 0},
		{"Badger.sh", true, good, 1},
		{"notes.txt", true, good, 1},
		{"a.sh", false, good, 1},
		{"a.sh", true, strings.TrimPrefix(good, "#!/bin/sh"), 1},
		{"a.sh", true, "#!/bin/sh\n# Expected: this\n# Version: 1\n# Seen: that\n", 1}, // out of turn
		{"a.sh", true, "#!/bin/sh\necho\n", 3},
	} {
		if faults := findingFaults(c.name, c.executable, c.script); len(faults) != c.faults {
			t.Errorf("%q: %q", c.name, faults)
		}
	}
}
