package contain_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/troupe-go/troupe/actor/contain"
)

func Example() {
	err := contain.Call("the check", func() error { panic("no such field") })
	fmt.Println(err)
	// Output: the check panicked: no such field
}

func TestWhatIsCalledHarmsNobody(t *testing.T) {
	refused := errors.New("refused")
	for want, f := range map[string]func() error{
		"":                         func() error { return nil },
		"refused":                  func() error { return refused },
		"it panicked: boom":        func() error { panic("boom") },
		"it panicked: refused":     func() error { panic(refused) },
		"it called runtime.Goexit": func() error { runtime.Goexit(); return nil },
	} {
		err := contain.Call("it", f)
		if got := fmt.Sprint(err); got != want && !(err == nil && want == "") {
			t.Errorf("%q, want %q", got, want)
		}
		if want == "refused" && !errors.Is(err, refused) {
			t.Error("it returns another error than f")
		}
	}
}
