package topic

import (
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestNamesAreChecked(t *testing.T) {
	for name, wild := range map[string]bool{
		"orders": false, "orders.eu": false, "Orders-2_x.~:+=": false, strings.Repeat("a", 256): false,
		"orders.*": true, "*": true, ">": true, "*.eu": true, "orders.>": true, "*.*.>": true,
	} {
		if got, err := checkName(name); got != wild || err != nil {
			t.Errorf("%q: wild %v, %v", name, got, err)
		}
	}
	for name, says := range map[string]string{
		"":                       "1 to 256",
		strings.Repeat("a", 257): "1 to 256",
		".":                      "empty token",
		"orders.":                "empty token",
		".orders":                "empty token",
		"orders..eu":             "empty token",
		"orders.>.eu":            "last token",
		"orders.e*":              "stand alone",
		"orders.>>":              "stand alone",
		"orders eu":              "letters, digits",
		"orders\n":               "letters, digits",
		"größe":                  "letters, digits",
		"a@b":                    "letters, digits",
	} {
		_, err := checkName(name)
		wantCode(t, name, err, actor.InvalidArgument)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v does not say %q", name, err, says)
		}
	}
}

func TestGroupsAreChecked(t *testing.T) {
	if err := checkGroup("billing-2"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "a.b", "a,b", "a@b", "*", "a b", strings.Repeat("a", 257)} {
		wantCode(t, name, checkGroup(name), actor.InvalidArgument)
	}
}
