package mailbox

import "fmt"

// Config is what can be set of a queue from outside of the code, by package settings.
type Config struct {
	Capacity int      `default:"0" doc:"How many messages may wait; 0 is without a bound." validate:"min=0"`
	Overflow Overflow `default:"reject" doc:"What becomes of one more: reject, block (the sender waits) or drop_oldest."`
}

// MarshalText returns the name that settings have for o. The error says that o is none of
// the constants.
func (o Overflow) MarshalText() ([]byte, error) {
	switch o {
	case Reject:
		return []byte("reject"), nil
	case Block:
		return []byte("block"), nil
	case DropOldest:
		return []byte("drop_oldest"), nil
	}
	return nil, fmt.Errorf("mailbox: %v has no name", o)
}

// UnmarshalText reads what MarshalText returns.
func (o *Overflow) UnmarshalText(text []byte) error {
	for known := Reject; known <= DropOldest; known++ {
		if name, _ := known.MarshalText(); string(name) == string(text) {
			*o = known
			return nil
		}
	}
	return fmt.Errorf("mailbox: %q is no policy: choose reject, block or drop_oldest", text)
}
