package contain

import "fmt"

// Call runs f in a goroutine of its own, and returns what it returns: neither a panic nor
// runtime.Goexit leaves it, but becomes an error that says what did so. It waits until f has
// ended.
func Call(what string, f func() error) error {
	err := fmt.Errorf("%s called runtime.Goexit", what)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = Panic(what, f)
	}()
	<-ended
	return err
}

// Panic calls f, and returns what it returns: a panic becomes an error that says what did so.
// It is cheaper than [Call], and lets runtime.Goexit through.
func Panic(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s panicked: %v", what, v)
		}
	}()
	return f()
}
