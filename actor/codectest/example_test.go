package codectest_test

import (
	"encoding/xml"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/codectest"
)

// XML is a codec of one's own.
type XML struct{}

func (XML) ContentType() string { return "application/xml" }

func (XML) Append(dst []byte, message any) ([]byte, error) {
	data, err := xml.Marshal(message)
	return append(dst, data...), err
}

func (XML) Decode(data []byte, target any) error { return xml.Unmarshal(data, target) }

// Letter is a message that XML can encode.
type Letter struct {
	To   string
	Page []string
}

var _ actor.Codec = XML{}

// A test of a codec of one's own is one line.
func Example() {
	_ = func(t *testing.T) { // TestXML
		codectest.Run(t, XML{}, &Letter{To: "Ada", Page: []string{"one", "two"}})
	}
	// Output:
}

func TestXML(t *testing.T) {
	codectest.Run(t, XML{}, &Letter{}, &Letter{To: "Ada", Page: []string{"one", "two"}})
}
