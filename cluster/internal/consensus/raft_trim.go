package consensus

import (
	"errors"

	"github.com/hashicorp/raft"
)

// trimEntries are kept, however large.
const trimEntries = 64

// trimLog cuts the log when it has grown, and keeps about as many bytes as have been
// appended since, beside what raft does by the number of entries: that alone could be
// gigabytes.
func (r *replica) trimLog() {
	most := r.raft.ReloadableConfig().TrailingLogs
	for {
		select {
		case appended := <-r.log.Grown():
			limits := r.raft.ReloadableConfig()
			limits.TrailingLogs = min(most, max(appended, trimEntries))
			err := r.raft.ReloadConfig(limits)
			if err == nil {
				_, err = await(r.ctx, r, func() (struct{}, error) { return struct{}{}, r.raft.Snapshot().Error() })
			}
			if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) && r.ctx.Err() == nil {
				r.config.Logger.Warn("consensus: the log cannot be cut now", "error", err)
			}
		case <-r.ctx.Done():
			return
		}
	}
}
