package cluster

import "fmt"

// contained runs code of the user in a goroutine of its own, and waits for it: neither a
// panic nor runtime.Goexit leaves it.
func contained(what string, f func() error) error {
	err := fmt.Errorf("%s called runtime.Goexit", what)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%s panicked: %v", what, v)
			}
		}()
		err = f()
	}()
	<-ended
	return err
}
