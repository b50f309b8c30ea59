package consensus

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/version"
)

// Backup writes everything that the core holds to w, as of one revision: all that was
// acknowledged before the call is in it. Reads and writes go on meanwhile. The stream has
// checksums, and is complete only if Backup returns no error; it is not encrypted. It
// comes from the replica of this node, if it has one that keeps up, and else from the
// leader.
func (c *Core) Backup(ctx context.Context, w io.Writer) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	latest, err := store{c}.latest(ctx)
	if err == nil {
		if r := c.local(); r != nil && c.reaches(ctx, r, latest) {
			err = r.Backup(ctx, w)
		} else {
			err = c.backupOfLeader(ctx, w)
		}
	}
	if err != nil && c.ctx.Err() != nil {
		return errClosed()
	}
	if err != nil {
		return fmt.Errorf("consensus: making a backup: %w", err)
	}
	return nil
}

// reaches reports whether the replica has that revision, or will soon.
func (c *Core) reaches(ctx context.Context, r *replica, revision persistence.Revision) bool {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timing.Patience)
	defer cancel()
	for {
		_, grown := r.machine.progress(math.MaxUint64)
		if r.Store().Latest() >= revision {
			return true
		}
		select {
		case <-grown:
		case <-r.ctx.Done():
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// backupOfLeader tries again as long as nothing has been written.
func (c *Core) backupOfLeader(ctx context.Context, w io.Writer) error {
	until := c.patience()
	for attempt := 0; ; attempt++ {
		l, err := c.leader(ctx, until)
		if err != nil {
			return err
		}
		begun, err := c.backupFrom(ctx, l.node, w)
		if err == nil || begun || ctx.Err() != nil {
			return err
		}
		c.search.forget(l)
		if time.Now().After(until) {
			return actor.Errorf(actor.Unavailable, "node %s leads, but sends no backup: %w", l.node, err)
		}
		if err := c.pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (c *Core) backupFrom(ctx context.Context, node string, w io.Writer) (begun bool, err error) {
	core, err := c.current()
	if err != nil {
		return false, err
	}
	server := c.search.server(node)
	if server == "" {
		return false, errNotLeader
	}
	conn, err := c.config.Dial(ctx, node)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	hello := &pb.Hello{Core: core, From: c.config.Node + "/", To: server, Purpose: pb.Hello_BACKUP, Version: link.EncodeVersion(version.Wire())}
	return link.FetchBackup(ctx, conn, hello, w)
}

// server returns the ID of the one that node has, "" if that is not known.
func (s *search) server(node string) string {
	for _, server := range s.heard() {
		if server.GetNode() == node {
			return server.GetId()
		}
	}
	return ""
}
