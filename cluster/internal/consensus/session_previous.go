package consensus

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// sessionName is the file that names the session which this node has, or had: the next
// process on the folder ends it. Until then what it owns would stay with a dead process
// for as long as the session lasts. The file need not be durable: without it, the session
// runs out.
const sessionName = "session"

// noteSession keeps the name of a session for the next process; "" for none.
func (c *Core) noteSession(id string) {
	if c.config.Dir == "" || c.identity().Server == "" {
		return
	}
	path := filepath.Join(c.config.Dir, sessionName)
	err := os.WriteFile(path, []byte(id), 0o600)
	if id == "" {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Debug("consensus: the session of this node is not noted for its next process", "error", err)
	}
}

// previousSession returns the session of the process before, "" if it has left none.
func previousSession(dir, node string) string {
	if dir == "" {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(dir, sessionName))
	if id := strings.TrimSpace(string(data)); err == nil && opened(node, id) {
		return id
	}
	return ""
}

// endSession ends a session that is over on its node, or whose process is surely gone, as
// the one before is once this one has opened its replica. Without that, what it owned would
// stay until the leader has counted to the end, which a new leader begins anew.
func (c *Core) endSession(ctx context.Context, id string) {
	for {
		core, err := c.current()
		if err == nil {
			_, err = c.atLeader(ctx, &pb.Request{Core: core, Kind: &pb.Request_EndSession{EndSession: &pb.EndSession{Session: id}}})
		}
		if err == nil || definite(err) {
			c.log.Debug("consensus: a session that was over was ended", "session", id, "error", err)
			return
		}
		if !pause(ctx, c.config.Timing.renewal()) {
			return
		}
	}
}
