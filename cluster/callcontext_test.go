package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func sender() context.Context {
	return actor.WithCaller(context.Background(), actor.Caller{Node: "a"})
}

func TestACallContextEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, looked := range []bool{false, true} {
			c := newCallContext(sender(), uint64(time.Second))
			if looked {
				_ = c.Done()
			}
			if deadline, ok := c.Deadline(); !ok || time.Until(deadline) != time.Second {
				t.Errorf("the deadline is %v, %v", deadline, ok)
			}
			time.AfterFunc(time.Second-1, func() {
				if err := c.Err(); err != nil {
					t.Errorf("ended early: %v", err)
				}
			})
			<-time.After(time.Second)
			synctest.Wait()
			if err := c.Err(); err != context.DeadlineExceeded {
				t.Errorf("at the deadline: %v", err)
			}
			<-c.Done()
			c.end()
			if err := c.Err(); err != context.DeadlineExceeded {
				t.Errorf("a later end changed the error to %v", err)
			}
		}
	})
}

func TestACallContextEndsWithItsCall(t *testing.T) {
	for _, timeout := range []uint64{0, uint64(time.Hour), uint64(maxTimeout) + 1} {
		early, late := newCallContext(sender(), timeout), newCallContext(sender(), timeout)
		done := early.Done()
		for _, c := range []*callContext{early, late} {
			if err := c.Err(); err != nil {
				t.Errorf("ended before its call: %v", err)
			}
			c.end()
			c.end()
			<-c.Done()
			if err := c.Err(); err != context.Canceled {
				t.Errorf("after its call: %v", err)
			}
		}
		<-done
	}
}

func TestWhatIsDerivedFromACallContextEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("mine")
		c := newCallContext(sender(), uint64(time.Second))
		before, cancel := context.WithTimeoutCause(c, time.Minute, cause)
		defer cancel()
		_ = c.Done()
		after, cancel := context.WithCancel(c)
		defer cancel()
		for _, derived := range []context.Context{before, after} {
			if caller := actor.CallerOf(derived); caller.Node != "a" {
				t.Errorf("the caller is %+v", caller)
			}
			<-derived.Done()
			if err := context.Cause(derived); err != context.DeadlineExceeded {
				t.Errorf("it ended with %v", err)
			}
		}
		c.end()
	})
}
