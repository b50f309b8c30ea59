package consensus

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/persistence/badger"
)

// forgetInterval is how often the replicas forget proposers that are gone, if there
// have been proposals.
const forgetInterval = time.Hour

// expiryCheck is how often is looked for what expires next even if nothing says that it
// has changed, as when a backup was restored.
const expiryCheck = 10 * time.Second

// expire has all replicas remove what has expired, when that is due. It is run by the
// leader.
func (r *replica) expire(ctx context.Context) {
	store := r.store
	forget := time.NewTicker(forgetInterval)
	defer forget.Stop()
	done := r.raft.LastIndex()
	for {
		changed := store.ExpiryChanged()
		wait := expiryCheck
		next, ok := store.NextExpiry()
		if ok {
			wait = min(wait, time.Until(next))
		}
		due := time.NewTimer(wait)
		select {
		case <-changed:
			due.Stop()
			continue
		case <-due.C:
			if !ok || time.Now().Before(next) {
				continue
			}
		case <-forget.C:
			due.Stop()
			if r.raft.LastIndex() == done {
				continue
			}
		case <-ctx.Done():
			due.Stop()
			return
		}
		_, index, err := r.append(ctx, &badger.Entry{At: time.Now(), Expire: true})
		if err != nil {
			r.config.Logger.Debug("consensus: expiring records", "error", err)
			if !pause(ctx, r.config.Timing.Heartbeat) {
				return
			}
		}
		done = index
	}
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
