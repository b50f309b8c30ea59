package mailbox

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file count runners, which the API does not show.

type taskFunc func()

func (f taskFunc) Run() { f() }

func (s *Scheduler) countLive() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live
}

// testPool runs test with a scheduler of two runners.
func testPool(t *testing.T, test func(*testing.T, *Scheduler)) {
	synctest.Test(t, func(t *testing.T) {
		s := NewScheduler(Runners(2))
		test(t, s)
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestPoolStartsNoMoreRunnersThanItNeeds(t *testing.T) {
	testPool(t, func(t *testing.T, s *Scheduler) {
		if n := s.countLive(); n != 0 {
			t.Errorf("%d runners before the first task", n)
		}
		for range 10 {
			s.Schedule(taskFunc(func() {}))
			synctest.Wait()
		}
		if n := s.countLive(); n != 1 {
			t.Errorf("%d runners for one task at a time, want 1", n)
		}
	})
}

func TestIdlePoolEndsItsRunnersAndTimers(t *testing.T) {
	testPool(t, func(t *testing.T, s *Scheduler) {
		for range 100 {
			s.Schedule(taskFunc(func() { <-time.After(time.Second) }))
		}
		<-time.After(2 * time.Second)
		s.Schedule(taskFunc(func() {})) // taken by an idle runner
		<-time.After(3 * retireInterval)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.live != 0 || s.watch.armed || s.retirer.armed {
			t.Errorf("%d runners, watch %t, retirer %t; want none", s.live, s.watch.armed, s.retirer.armed)
		}
		if s.busy != 0 || s.coming != 0 || s.watch.stuck != 0 || s.watch.suspects != 0 {
			t.Errorf("busy %d, coming %d, stuck %d, suspects %d; want 0",
				s.busy, s.coming, s.watch.stuck, s.watch.suspects)
		}
	})
}

func TestSurplusRunnersEndWhileThePoolIsInUse(t *testing.T) {
	testPool(t, func(t *testing.T, s *Scheduler) {
		release := make(chan struct{})
		for range 50 {
			s.Schedule(taskFunc(func() { <-release }))
		}
		<-time.After(time.Second)
		if n := s.countLive(); n != 50 {
			t.Errorf("%d runners for 50 blocked tasks", n)
		}
		close(release)
		for range 20 { // one task at a time keeps one runner warm
			<-time.After(retireInterval / 4)
			s.Schedule(taskFunc(func() {}))
		}
		synctest.Wait()
		if n := s.countLive(); n != 1 {
			t.Errorf("%d runners left, want 1", n)
		}
	})
}

func TestRunnersInPlaceOfBlockedOnesAreFew(t *testing.T) {
	testPool(t, func(t *testing.T, s *Scheduler) {
		release := make(chan struct{})
		for range 100 {
			s.Schedule(taskFunc(func() { <-release }))
		}
		<-time.After(time.Second)
		ran := make(chan struct{}, 1000)
		s.Schedule(taskFunc(func() {
			for range cap(ran) {
				s.Schedule(taskFunc(func() { ran <- struct{}{} }))
			}
		}))
		<-time.After(time.Millisecond)
		if len(ran) != cap(ran) {
			t.Errorf("%d of %d quick tasks ran within a millisecond", len(ran), cap(ran))
		}
		if n := s.countLive(); n > 102 {
			t.Errorf("%d runners for 100 blocked tasks and quick ones", n)
		}
		close(release)
	})
}
