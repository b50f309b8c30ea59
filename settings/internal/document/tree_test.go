package document

import (
	"strings"
	"testing"
)

func TestAValueIsShownInWholeLetters(t *testing.T) {
	for shift := range 4 {
		n := &Node{Kind: Text, Text: strings.Repeat("x", shift) + strings.Repeat("𝄞", 99)}
		if got := n.Show(); !strings.HasSuffix(got, `𝄞"…`) || len(got) > 200 {
			t.Error(got)
		}
	}
}
