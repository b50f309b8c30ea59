package e2e

import (
	"flag"
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
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil { // they wait for processes most of the time
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
