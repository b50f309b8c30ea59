package link

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
	// BackupPatience is how long a receiver may take for backupChunk of a backup.
	backupChunk    = 256 << 10
	BackupPatience = time.Minute
)

// serveBackup sends a backup, behind its size, to a node that need not have a replica.
func (s *Layer) serveBackup(c *tracked, spoken version.Version) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Time{})
	stream, err := s.config.Backup(s.ctx)
	if err != nil {
		_ = c.SetDeadline(time.Now().Add(HandshakeTimeout))
		sendWelcome(c, &consensuspb.Welcome{Refusal: err.Error()}, spoken)
		return
	}
	defer func() { _ = stream.Remove() }()
	_ = c.SetDeadline(time.Now().Add(HandshakeTimeout))
	if !sendWelcome(c, &consensuspb.Welcome{Size: stream.Size()}, spoken) {
		return
	}
	in := stream.Reader()
	for err == nil {
		_ = c.SetDeadline(time.Now().Add(BackupPatience))
		_, err = io.CopyN(c, in, backupChunk)
	}
	if err != io.EOF {
		s.config.Logger.Warn("consensus: a backup was not sent to its end", "error", err)
	}
}

// FetchBackup gets a backup from the server that hello names, by a connection to its node,
// and writes it to w. It is begun when
// something has been written.
func FetchBackup(ctx context.Context, conn net.Conn, hello *consensuspb.Hello, w io.Writer) (begun bool, err error) {
	welcome, err := Greet(ctx, conn, hello)
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
