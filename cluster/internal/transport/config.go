package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"google.golang.org/grpc/credentials"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/persistence/version"
)

// envelopeOverhead is what an envelope may take beside its payload: names,
// error text and the encoding itself.
const envelopeOverhead = 64 << 10

// Config says how a [Transport] works. Node, Dial and Handler are required.
type Config struct {
	// Node is this node's name, in printable ASCII.
	Node string
	// Incarnation tells this run of the node from its earlier ones.
	Incarnation uint64
	// Dial opens a raw connection; the transport puts TLS on top.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// ClientTLS returns the configuration to call the named node with. It must
	// verify that the server is that node. Nil means plaintext, for tests.
	ClientTLS func(node string) *tls.Config
	// PeerName returns the name of the node behind a connection from its
	// certificate. Nil believes what the node says of itself, for tests. Set
	// both of ClientTLS and PeerName, or neither.
	PeerName func(credentials.AuthInfo) (string, error)
	// Handler takes what other nodes send.
	Handler Handler
	// Dropped, if not nil, is told of every cast that Tell took and that surely
	// or possibly did not arrive: reason is an [*Error] of kind NotSent or Lost.
	// It is called by the transport's own goroutines and must not block or
	// close a Peer.
	Dropped func(node, to, message string, reason error)
	// Explain, if not nil, returns the error of connecting to a node at its address with
	// what may be wrong with that address.
	Explain func(node, address string, err error) error
	// Seen, if not nil, is told at which address another node sees this one. It must not
	// block.
	Seen func(node string, at netip.Addr)
	// Logger may be nil, for silence.
	Logger *slog.Logger
	// Lanes is the number of streams to each peer: 1 to 256, 4 if 0.
	Lanes int
	// MaxMessage is the largest payload in bytes, 4 MiB if 0. That of a System
	// envelope may have 4 MiB in any case, if QueueBytes allows.
	MaxMessage int
	// QueueBytes bounds what waits in each lane, in bytes of encoded envelopes;
	// as much again may be in flight. TellContext fills a quarter of it. 8 MiB if 0, or room for one message of
	// MaxMessage if that is more.
	QueueBytes int

	version version.Version // what this node speaks; for tests
}

// Handler takes the traffic that other nodes send here.
type Handler interface {
	// Receive takes one envelope. Calls for one Inbound come in order and one
	// at a time; different Inbounds call concurrently. While Receive runs, its
	// lane stands still. The View and its slices are valid during the call,
	// and read-only. A panic ends the stream.
	Receive(from *Inbound, e *wire.View)
	// Closed says that the stream has ended and that nothing more comes from
	// it: its calls are cancelled and its watches dropped.
	Closed(from *Inbound)
}

func (c Config) withDefaults() Config {
	if c.Lanes == 0 {
		c.Lanes = 4
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = maxSystem
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = max(8<<20, c.maxEnvelope())
	}
	if c.version == (version.Version{}) {
		c.version = version.Wire()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Explain == nil {
		c.Explain = func(_, _ string, err error) error { return err }
	}
	if c.Seen == nil {
		c.Seen = func(string, netip.Addr) {}
	}
	if c.Dropped == nil {
		c.Dropped = func(string, string, string, error) {}
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Node == "":
		return errors.New("transport: Config.Node is empty: give the node a name")
	case !printable(c.Node):
		return fmt.Errorf("transport: node name %q is not printable ASCII: choose another", c.Node)
	case c.Dial == nil:
		return errors.New("transport: Config.Dial is nil: say how to reach other nodes")
	case c.Handler == nil:
		return errors.New("transport: Config.Handler is nil: say who takes what other nodes send")
	case (c.ClientTLS == nil) != (c.PeerName == nil):
		return errors.New("transport: Config needs both of ClientTLS and PeerName, or neither")
	case c.Lanes < 1 || c.Lanes > maxLanes:
		return fmt.Errorf("transport: Config.Lanes is %d: choose 1 to %d", c.Lanes, maxLanes)
	case c.MaxMessage < 1 || c.MaxMessage > 1<<30:
		return fmt.Errorf("transport: Config.MaxMessage is %d: choose 1 byte to 1 GiB", c.MaxMessage)
	case c.QueueBytes < c.maxEnvelope():
		return fmt.Errorf("transport: Config.QueueBytes is %d: it must hold a message of MaxMessage: choose at least %d",
			c.QueueBytes, c.maxEnvelope())
	}
	return nil
}

// maxSystem is the largest payload of a System envelope, unless MaxMessage is more.
const maxSystem = 4 << 20

// limitFor returns the largest payload that e may have for a node with that MaxMessage.
func limitFor(e *wire.Envelope, maxMessage int) int {
	if e.System {
		return max(maxMessage, maxSystem)
	}
	return maxMessage
}

// exceeds reports whether e, of the given size, is too large for a limit.
func exceeds(e *wire.Envelope, size, limit int) bool {
	return len(e.Payload) > limit || size > limit+envelopeOverhead
}

func (c Config) maxEnvelope() int { return c.MaxMessage + envelopeOverhead }

// maxFrame is the largest frame that the node takes. A sender need not know it: an envelope
// that is larger than batchBytes has a frame of its own, and is held against the limit of
// the node that gets it; all other frames are no larger than batchBytes, which every node
// takes, however small its MaxMessage is.
func (c Config) maxFrame() int {
	return max(batchBytes, c.maxEnvelope(), maxSystem+envelopeOverhead) + ackBytes
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
