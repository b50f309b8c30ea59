package cluster

import (
	"reflect"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// isRefusal reports whether an error is one of an instance for this very message, which
// surely was not handled: another instance, perhaps a newer one, may take it.
func isRefusal(e *actor.Error) bool {
	switch e.Code {
	case actor.Unavailable, actor.NotFound, actor.ResourceExhausted: // for any message
		return false
	case actor.DeadlineExceeded, actor.Canceled: // the sender's
		return false
	}
	return e.NotRun
}

// unhandled remembers for a while which instances have no handler for a type of messages,
// so that while two versions of a service run beside each other few calls are made in
// vain. It is no more than a preference: actors may become something else.
type unhandled struct{ byType sync.Map } // *unable by reflect.Type

// unable are instances, and until when they are believed not to handle a type.
type unable struct {
	mu    sync.Mutex
	until map[instanceKey]time.Time
}

const believedUnable = 5 * time.Second

// add remembers that an instance has no handler for message, and reports whether that is
// news.
func (u *unhandled) add(message any, key instanceKey) (news bool) {
	made := &unable{until: make(map[instanceKey]time.Time)}
	known, _ := u.byType.LoadOrStore(reflect.TypeOf(message), made)
	x := known.(*unable)
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	x.tidy(now)
	_, old := x.until[key]
	x.until[key] = now.Add(believedUnable)
	return !old
}

// by returns which instances are believed not to handle message now; nil for none.
func (u *unhandled) by(message any) func(*instance) bool {
	known, ok := u.byType.Load(reflect.TypeOf(message))
	if !ok {
		return nil
	}
	x := known.(*unable)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tidy(time.Now()); len(x.until) == 0 {
		return nil
	}
	return func(i *instance) bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		_, is := x.until[i.key]
		return is
	}
}

// tidy forgets what is over.
func (x *unable) tidy(now time.Time) {
	for key, until := range x.until {
		if now.After(until) {
			delete(x.until, key)
		}
	}
}
