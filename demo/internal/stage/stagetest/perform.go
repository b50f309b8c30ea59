// Package stagetest runs a demo in a test. It is no part of Troupe.
package stagetest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

// Perform runs the demo. The test fails if the run does, or leaves a file behind, or if
// not as many claims hold as it says. In short tests it is skipped.
//
// The package's TestMain must begin with [stage.Program.MainOfChild].
func Perform(t *testing.T, p stage.Program, claims int) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes and kills one")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp) // on Windows
	t.Setenv("TROUPE_SECRET", "this must not reach the nodes of the demo")
	var out bytes.Buffer
	if err := p.Perform(t.Context(), stage.Report{Out: &out}, false); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "\n  ok    "); n != claims {
		t.Errorf("%d of %d claims hold", n, claims)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
	if t.Failed() || testing.Verbose() {
		t.Log(out.String())
	}
}
