package e2e

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childVar, in the environment, makes the test binary a node.
const childVar = "TROUPE_E2E_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		os.Exit(runChild(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}
