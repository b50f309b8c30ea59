package consensus

import (
	"errors"

	"github.com/hashicorp/raft"
)

// The log is cut when so many bytes have been appended, and keeps about as many, beside
// what raft does by the number of entries: that alone could be gigabytes.
const (
	trimBytes   = 32 << 20
	trimEntries = 64 // are kept, however large
)

// trimLog cuts the log when it has grown.
func (r *replica) trimLog() {
	most := r.raft.ReloadableConfig().TrailingLogs
	for {
		select {
		case appended := <-r.log.grown:
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
