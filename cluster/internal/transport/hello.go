package transport

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/troupe-go/troupe/persistence/version"
)

// maxLanes bounds the lane numbers that a server takes.
const maxLanes = 256

// The metadata with which a stream opens. The first three have the same meaning in
// every version, so that nodes that cannot speak with each other can say so.
const (
	keyVersion     = "troupe-version" // the major, also in what answers
	keyMinor       = "troupe-minor"   // likewise the minor; 0 if it is not there
	keyNode        = "troupe-node"
	keyIncarnation = "troupe-incarnation"
	keyExpect      = "troupe-expect"
	keyLane        = "troupe-lane"
	keySeen        = "troupe-seen"        // in what answers: the IP address of the other node as seen there
	keyMaxMessage  = "troupe-max-message" // how large a payload the node takes; since 1.1
)

// hasLimits reports whether nodes that speak v tell each other what they take: how large a
// message, and how much for one receiver.
func hasLimits(v version.Version) bool { return v.Minor >= 1 }

// maxMessagePairs says how large a message this node takes, in a version that has that.
func (c *Config) maxMessagePairs(spoken version.Version) metadata.MD {
	if !hasLimits(spoken) {
		return nil
	}
	return metadata.Pairs(keyMaxMessage, strconv.Itoa(c.MaxMessage))
}

// maxMessageOf is the inverse of maxMessagePairs: 0 if the other node has not said it.
func maxMessageOf(md metadata.MD) (int, error) {
	text := first(md, keyMaxMessage)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the stream's metadata %s is no size", keyMaxMessage)
	}
	return int(n), nil
}

// origin identifies a stream's other end; a node has one stream per lane.
type origin struct {
	node        string
	incarnation uint64
	lane        uint64
}

// hello is what the client says when it opens a lane.
func (l *lane) hello() metadata.MD {
	cfg := &l.peer.transport.cfg
	return metadata.Join(versionPairs(cfg.version), cfg.maxMessagePairs(cfg.version), metadata.Pairs(
		keyNode, cfg.Node,
		keyIncarnation, strconv.FormatUint(cfg.Incarnation, 10),
		keyExpect, strconv.FormatUint(l.peer.incarnation, 10),
		keyLane, strconv.Itoa(l.index),
	))
}

func versionPairs(v version.Version) metadata.MD {
	return metadata.Pairs(keyVersion, strconv.FormatUint(uint64(v.Major), 10), keyMinor, strconv.FormatUint(uint64(v.Minor), 10))
}

// versionOf is the inverse of versionPairs, for what another node has sent.
func versionOf(md metadata.MD) (version.Version, error) {
	minor := first(md, keyMinor)
	if minor == "" {
		minor = "0"
	}
	return version.Parse(first(md, keyVersion) + "." + minor)
}

// seenPairs say at which address the node that opened a stream is seen here.
func seenPairs(ctx context.Context) metadata.MD {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return nil
	}
	at, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return nil
	}
	return metadata.Pairs(keySeen, at.Addr().Unmap().WithZone("").String())
}

// seen passes on at which address another node sees this one, if it says so.
func (t *Transport) seen(node string, md metadata.MD) {
	if at, err := netip.ParseAddr(first(md, keySeen)); err == nil && at.Zone() == "" {
		t.cfg.Seen(node, at.Unmap())
	}
}

// mismatch is the error of a node that speaks another major version.
func (t *Transport) mismatch(peer string, theirs version.Version) *version.Mismatch {
	m := &version.Mismatch{Node: t.cfg.Node, Own: t.cfg.version, Peer: peer, Theirs: theirs, What: "the link"}
	t.reporter.Warn(t.cfg.Logger, m)
	return m
}

// checkHello says who opened a stream, in which version both speak, and how large a message
// the other node takes, or refuses the stream with a gRPC status.
func (t *Transport) checkHello(ctx context.Context) (from origin, spoken version.Version, takes int, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	node := first(md, keyNode)
	if node == "" {
		return from, spoken, 0, status.Error(codes.InvalidArgument, "the stream names no node")
	}
	if err := t.checkName(ctx, node); err != nil {
		return from, spoken, 0, err
	}
	theirs, err := versionOf(md)
	if err != nil {
		return from, spoken, 0, status.Errorf(codes.InvalidArgument, "the stream's metadata %s: %v", keyVersion, err)
	}
	spoken, ok := t.cfg.version.With(theirs)
	if !ok {
		return from, spoken, 0, status.Error(codes.Unimplemented, t.mismatch(node, theirs).Error())
	}
	if hasLimits(spoken) {
		if takes, err = maxMessageOf(md); err != nil {
			return from, spoken, 0, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	from, err = t.originOf(node, md)
	return from, spoken, takes, err
}

// originOf reads what the hello of this version has beside the node's name.
func (t *Transport) originOf(node string, md metadata.MD) (origin, error) {
	var numbers [3]uint64
	for i, key := range []string{keyIncarnation, keyExpect, keyLane} {
		n, err := strconv.ParseUint(first(md, key), 10, 64)
		if err != nil {
			return origin{}, status.Errorf(codes.InvalidArgument, "the stream's metadata %s is no number", key)
		}
		numbers[i] = n
	}
	from := origin{node: node, incarnation: numbers[0], lane: numbers[2]}
	if from.lane >= maxLanes {
		return origin{}, status.Error(codes.InvalidArgument, "the stream has a lane out of range")
	}
	if numbers[1] != t.cfg.Incarnation {
		return origin{}, status.Errorf(codes.FailedPrecondition,
			"node %s has incarnation %d, not %d: look it up again", t.cfg.Node, t.cfg.Incarnation, numbers[1])
	}
	return from, nil
}

// checkName holds the name a node gives against its certificate.
func (t *Transport) checkName(ctx context.Context, claimed string) error {
	if t.cfg.PeerName == nil {
		return nil
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return status.Error(codes.Unauthenticated, "the connection has no identity")
	}
	name, err := t.cfg.PeerName(p.AuthInfo)
	if err == nil && name != claimed {
		err = fmt.Errorf("the certificate is for node %s, not %s", name, claimed)
	}
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	return nil
}

func first(md metadata.MD, key string) string {
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}
