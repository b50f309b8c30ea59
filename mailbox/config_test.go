package mailbox_test

import (
	"testing"

	"github.com/troupe-go/troupe/mailbox"
)

func TestPoliciesHaveNamesInSettings(t *testing.T) {
	for _, want := range []mailbox.Overflow{mailbox.Reject, mailbox.Block, mailbox.DropOldest} {
		name, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got mailbox.Overflow
		if err := got.UnmarshalText(name); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", name, got, err, want)
		}
	}
	if name, err := mailbox.Overflow(7).MarshalText(); err == nil {
		t.Errorf("7 is %s", name)
	}
	if err := new(mailbox.Overflow).UnmarshalText([]byte("explode")); err == nil {
		t.Error("explode is a policy")
	}
}
