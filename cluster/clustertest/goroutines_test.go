package clustertest_test

import (
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestGoroutinesOfOtherBubblesDoNotCount(t *testing.T) {
	stop := make(chan struct{})
	outside := make(chan struct{})
	go func() {
		defer close(outside)
		<-stop
	}()
	for range 12 { // the number of a bubble may begin with that of another
		synctest.Test(t, func(t *testing.T) {
			before := clustertest.Goroutines()
			end := make(chan struct{})
			for range 100 {
				go func() { <-end }()
			}
			synctest.Wait()
			if n := clustertest.Goroutines() - before; n != 100 {
				t.Errorf("%d of 100 goroutines counted", n)
			}
			close(end)
			synctest.Wait()
			if n := clustertest.Goroutines() - before; n != 0 {
				t.Errorf("%d goroutines counted when they have ended", n)
			}
		})
	}
	close(stop)
	<-outside
	if n := clustertest.Goroutines(); n != 0 {
		t.Errorf("%d goroutines of no bubble", n)
	}
}
