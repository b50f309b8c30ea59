package badger

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// opening says what a store that is being opened does, every two seconds.
type opening struct {
	does  atomic.Value // a string
	done  chan struct{}
	ended sync.WaitGroup
}

func startOpening(log *slog.Logger, dir string) *opening {
	o := &opening{done: make(chan struct{})}
	o.does.Store("preparing the folder")
	o.ended.Go(func() {
		late := time.NewTicker(2 * time.Second)
		defer late.Stop()
		for start := time.Now(); ; {
			select {
			case <-o.done:
				return
			case <-late.C:
				log.Warn("badger: the store is being opened", "dir", dir, "does", o.does.Load(), "for", time.Since(start).Round(time.Second))
			}
		}
	})
	return o
}

// now says what is done from now on. It may be called on nil.
func (o *opening) now(what string) {
	if o != nil {
		o.does.Store(what)
	}
}

func (o *opening) end() {
	close(o.done)
	o.ended.Wait()
}
