package consensus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// TestAWatchOfAReplicaThatWasReplacedGoesOn brings a voter back after another node has
// taken its place: its replica hears of no changes any more.
func TestAWatchOfAReplicaThatWasReplacedGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		dir := t.TempDir()
		var nodes []*node
		for _, name := range []string{"a", "b", "c", "d"} {
			nodes = append(nodes, w.join(name, func(c *Config) { c.Expect, c.Dir = 3, dir+"/"+name }))
		}
		nodes[0].put("k", "1")
		<-time.After(5 * time.Second)
		gone := pick(nodes, true, false)
		stays := w.leader()
		gone.crash()
		<-time.After(time.Minute) // the fourth takes its place
		back := w.join(gone.name, func(c *Config) { c.Expect, c.Dir = 3, dir+"/"+gone.name })
		<-time.After(100 * time.Millisecond)
		seen := make(chan string, 10)
		go func() {
			for changes, err := range back.Watch(t.Context(), "k", 0) {
				if err != nil {
					return
				}
				for _, change := range changes.Changes {
					seen <- string(change.Value)
				}
			}
		}()
		<-time.After(50 * time.Millisecond)
		if _, err := persistence.Put(t.Context(), stays, "k", []byte("2")); err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case value := <-seen:
				if value == "2" {
					return
				}
			case <-time.After(2 * time.Second):
				t.Fatal("the change was not seen in 2 seconds")
			}
		}
	})
}
