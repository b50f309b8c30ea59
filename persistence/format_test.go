package persistence

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestARecordOfAnotherMajorIsRefused(t *testing.T) {
	for format, want := range map[string]error{"1.0": nil, "1.6": nil, "2.0": ErrVersion, "x": actor.DataLoss} {
		r := &Record{Key: "k", Metadata: map[string]string{formatKey: format}}
		if err := checkFormat(r); !errors.Is(err, want) {
			t.Errorf("%s: %v", format, err)
		}
		if want == nil {
			continue
		}
		s, err := newSchema[int]("", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.decode(nil, r); !errors.Is(err, want) || !strings.Contains(err.Error(), `"k"`) {
			t.Errorf("a value of format %s: %v", format, err)
		}
		if _, err := parseReminder(r); !errors.Is(err, want) {
			t.Errorf("a reminder of format %s: %v", format, err)
		}
	}
	if err := checkFormat(&Record{Key: "k"}); err != nil {
		t.Errorf("a record of before there was a format: %v", err)
	}
}
