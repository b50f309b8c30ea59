package settings

import (
	"strings"
	"testing"
)

func TestAValueIsShownInWholeLetters(t *testing.T) {
	for shift := range 4 {
		n := &node{kind: text, text: strings.Repeat("x", shift) + strings.Repeat("𝄞", 99)}
		if got := n.show(); !strings.HasSuffix(got, `𝄞"…`) || len(got) > 200 {
			t.Error(got)
		}
	}
}
