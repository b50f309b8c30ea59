package gossip

import (
	"context"
	"net"
	"sync"
)

// conn is a stream that the transport keeps in view until it is closed.
type conn struct {
	net.Conn
	attempt *attempt // the attempt to join that dialed it, or nil
	close   func() error
}

// track takes a stream under watch. It returns nil when the transport is shut
// down, or a peer opened one stream too many.
func (t *transport) track(stream net.Conn, try *attempt, inbound bool) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || inbound && t.inbound == maxStreams {
		return nil
	}
	c := &conn{Conn: stream, attempt: try}
	stop := func() bool { return true }
	if try != nil {
		stop = context.AfterFunc(try.ctx, func() { _ = stream.Close() })
	}
	if inbound {
		t.inbound++
	}
	t.conns[c] = struct{}{}
	t.busy.Add(1)
	c.close = sync.OnceValue(func() error {
		stop()
		err := stream.Close()
		t.mu.Lock()
		delete(t.conns, c)
		if inbound {
			t.inbound--
		}
		t.mu.Unlock()
		t.busy.Done()
		return err
	})
	return c
}

func (c *conn) Close() error { return c.close() }

// Write closes the stream when it fails: memberlist forgets to when it could
// not even write its label.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.attempt.answered()
	}
	return n, err
}
