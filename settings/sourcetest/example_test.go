package sourcetest_test

import (
	"errors"
	"testing"

	"github.com/troupe-go/troupe/settings/sourcetest"
)

// Fixed is a provider of one's own, which is not followed.
type Fixed map[string]any

func (f Fixed) ReadBytes() ([]byte, error)    { return nil, errors.ErrUnsupported }
func (f Fixed) Read() (map[string]any, error) { return f, nil }

// A test of a provider of one's own is a few lines.
func Example() {
	_ = func(t *testing.T) { // TestFixed
		sourcetest.Run(t, func(*testing.T) sourcetest.Provider {
			return sourcetest.Provider{Provider: Fixed(sourcetest.Values())}
		})
	}
	// Output:
}
