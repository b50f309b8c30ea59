package security

import (
	"errors"
	"strings"
	"testing"
)

func TestValidateNames(t *testing.T) {
	for _, tt := range []struct {
		name          string
		cluster, node bool
	}{
		{"a", true, true},
		{"lab-1.eu_west", true, true},
		{"10.0.0.1", true, true},
		{strings.Repeat("a", 63), true, true},
		{"DESKTOP-7", false, true},
		{"", false, false},
		{strings.Repeat("a", 64), false, false},
		{"a b", false, false},
		{"a/b", false, false},
		{"a\nb", false, false},
		{"a..b", false, false},
		{".a", false, false},
		{"a.", false, false},
		{"-a", false, false},
		{"naïve", false, false},
		{"a%2fb", false, false},
	} {
		if err := ValidateCluster(tt.name); (err == nil) != tt.cluster || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("ValidateCluster(%q) = %v, want valid %t", tt.name, err, tt.cluster)
		}
		if err := ValidateNode(tt.name); (err == nil) != tt.node || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("ValidateNode(%q) = %v, want valid %t", tt.name, err, tt.node)
		}
	}
}
