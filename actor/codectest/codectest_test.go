package codectest_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/codectest"
)

func TestMsgPack(t *testing.T) { codectest.Run(t, actor.NewMsgPack()) }

func TestJSON(t *testing.T) { codectest.Run(t, actor.JSON{}) }

// broken is JSON with one fault.
type broken struct {
	actor.JSON
	fault string
	last  []byte
}

func (b *broken) ContentType() string {
	if b.fault == "the content type" {
		return "json"
	}
	return b.JSON.ContentType()
}

func (b *broken) Append(dst []byte, message any) ([]byte, error) {
	switch b.fault {
	case "Append keeps":
		dst = dst[:0]
	case "what cannot be encoded":
		if data, err := b.JSON.Append(dst, message); err == nil {
			return data, nil
		}
		return append(dst, "{}"...), nil
	case "Append leaves":
		data, err := b.JSON.Append(nil, message)
		if err != nil || len(dst) > 0 {
			return append(dst, data...), err
		}
		b.last = append(b.last[:0], data...)
		return b.last, nil
	}
	return b.JSON.Append(dst, message)
}

func (b *broken) Decode(data []byte, target any) error {
	err := b.JSON.Decode(data, target)
	switch b.fault {
	case "what is encoded":
		return errors.Join(err, errors.New("no"))
	case "Decode keeps nothing":
		if p, ok := target.(*codectest.Plain); ok && err == nil && len(p.Raw) > 0 {
			p.Raw = data
		}
	case "input that does not decode":
		if err != nil {
			panic(err)
		}
	case "no value becomes":
		if n, ok := target.(*codectest.Box[int8]); ok && err != nil {
			n.V, err = -1, nil
		}
	}
	return err
}

// TestSuiteFindsFaults runs the suite in another process, where it must fail.
func TestSuiteFindsFaults(t *testing.T) {
	const variable = "CODECTEST_FAULT"
	if fault := os.Getenv(variable); fault != "" {
		codectest.Run(t, &broken{fault: fault})
		return
	}
	for _, fault := range []string{"the content type", "what is encoded", "Append keeps", "Append leaves",
		"Decode keeps nothing", "what cannot be encoded", "input that does not decode",
		"no value becomes"} {
		t.Run(fault, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestSuiteFindsFaults$")
			cmd.Env = append(os.Environ(), variable+"="+fault)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("the fault was not found:\n%s", out)
			}
			if !strings.Contains(string(out), strings.ReplaceAll(fault, " ", "_")) && !strings.Contains(string(out), "panic") {
				t.Errorf("another test failed:\n%s", out)
			}
		})
	}
}
