package port

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// warnEvery is how often refusals may be seen at warn level.
const warnEvery = time.Minute

// refusals reports closed connections, without letting strangers fill the log.
type refusals struct {
	logger *slog.Logger
	hook   func(net.Addr, error)

	mu       sync.Mutex
	warned   time.Time
	unwarned int // since then
}

func (r *refusals) report(conn net.Conn, err error) {
	addr := conn.RemoteAddr()
	if r.hook != nil {
		r.hook(addr, err)
	}
	r.logger.Debug("a connection was refused", "from", addr, "error", err)
	if hungUp(err) {
		return
	}
	unwarned, ok := r.mayWarn(time.Now())
	if ok {
		r.logger.Warn("a peer was refused", "from", addr, "error", err, "hint", hint(conn, err), "refused_before_without_warning", unwarned)
	}
}

func (r *refusals) mayWarn(now time.Time) (unwarned int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.warned.IsZero() && now.Sub(r.warned) < warnEvery {
		r.unwarned++
		return 0, false
	}
	unwarned, r.unwarned, r.warned = r.unwarned, 0, now
	return unwarned, true
}

// hungUp reports whether the client just went away, as port scanners and the
// health checks of load balancers do.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// hint says what is most likely wrong.
func hint(conn net.Conn, err error) string {
	var notTLS tls.RecordHeaderError
	const badCertificate = tls.AlertError(42) // RFC 8446, 6.2: it does not want ours
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrBacklog):
		return "this node is overloaded, or somebody floods its port"
	case errors.Is(err, ErrNoProtocol):
		return "it speaks TLS, but is no node"
	case errors.As(err, &notTLS):
		return "it does not speak TLS, so it is no node"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not finish the TLS handshake in time"
	case strings.Contains(err.Error(), "remote error: "+badCertificate.Error()) && fromHere(conn):
		return "it runs on this host and has another secret, or it is this node itself: then another node advertises an address of this host, and needs TROUPE_ADVERTISE"
	case strings.Contains(err.Error(), "remote error: "+badCertificate.Error()):
		return "it has another secret, or looks for another node, which then advertises this address: its own log says which"
	default: // an unknown certificate, or an alert about ours
		return "most likely it has another secret, if it is a node at all"
	}
}

// fromHere reports whether a connection was made at the address that it leads to, as one to
// oneself is.
func fromHere(conn net.Conn) bool {
	from, _, errFrom := net.SplitHostPort(conn.RemoteAddr().String())
	to, _, errTo := net.SplitHostPort(conn.LocalAddr().String())
	return errFrom == nil && errTo == nil && from == to
}
