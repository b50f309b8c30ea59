package consensus

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence/version"
)

const (
	// backupChunk is how much of a backup is sent at once, and backupPatience how long
	// whoever gets it may take for that.
	backupChunk    = 256 << 10
	backupPatience = time.Minute
)

// serveBackup sends a backup, behind its size, to a node that need not have a replica.
func (s *streams) serveBackup(c *streamConn, spoken version.Version) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Time{})
	stream, err := s.backup(s.ctx)
	if err != nil {
		_ = c.SetDeadline(time.Now().Add(handshakeTimeout))
		sendWelcome(c, &consensuspb.Welcome{Refusal: err.Error()}, spoken)
		return
	}
	defer func() { _ = stream.Remove() }()
	_ = c.SetDeadline(time.Now().Add(handshakeTimeout))
	if !sendWelcome(c, &consensuspb.Welcome{Size: stream.Size()}, spoken) {
		return
	}
	in := stream.Reader()
	for err == nil {
		_ = c.SetDeadline(time.Now().Add(backupPatience))
		_, err = io.CopyN(c, in, backupChunk)
	}
	if err != io.EOF {
		s.config.Logger.Warn("consensus: a backup was not sent to its end", "error", err)
	}
}

// fetchBackup gets a backup from that server, and writes it to w. It is begun when
// something has been written.
func fetchBackup(ctx context.Context, conn net.Conn, hello *consensuspb.Hello, w io.Writer) (begun bool, err error) {
	welcome, err := greet(ctx, conn, hello)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := io.CopyN(w, conn, welcome.Size)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return true, fmt.Errorf("consensus: %d of %d bytes of a backup have come: %w", n, welcome.Size, err)
}
