package transport

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// protocolVersion names the protocol of wire.proto. It changes only when old
// nodes could not follow.
const protocolVersion = "1"

// maxLanes bounds the lane numbers that a server takes.
const maxLanes = 256

// The metadata with which a stream opens.
const (
	keyVersion     = "troupe-version"
	keyNode        = "troupe-node"
	keyIncarnation = "troupe-incarnation"
	keyExpect      = "troupe-expect"
	keyLane        = "troupe-lane"
)

// origin identifies a stream's other end; a node has one stream per lane.
type origin struct {
	node        string
	incarnation uint64
	lane        uint64
}

// hello is what the client says when it opens a lane.
func (l *lane) hello() metadata.MD {
	cfg := &l.peer.transport.cfg
	return metadata.Pairs(
		keyVersion, protocolVersion,
		keyNode, cfg.Node,
		keyIncarnation, strconv.FormatUint(cfg.Incarnation, 10),
		keyExpect, strconv.FormatUint(l.peer.incarnation, 10),
		keyLane, strconv.Itoa(l.index),
	)
}

// checkHello says who opened a stream, or refuses it with a gRPC status.
func (t *Transport) checkHello(ctx context.Context) (origin, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := first(md, keyVersion); v != protocolVersion {
		return origin{}, status.Errorf(codes.Unimplemented,
			"node %s speaks protocol %s, not %q: run the same version of Troupe on both", t.cfg.Node, protocolVersion, v)
	}
	var numbers [3]uint64
	for i, key := range []string{keyIncarnation, keyExpect, keyLane} {
		n, err := strconv.ParseUint(first(md, key), 10, 64)
		if err != nil {
			return origin{}, status.Errorf(codes.InvalidArgument, "the stream's metadata %s is no number", key)
		}
		numbers[i] = n
	}
	from := origin{node: first(md, keyNode), incarnation: numbers[0], lane: numbers[2]}
	if from.node == "" || from.lane >= maxLanes {
		return origin{}, status.Error(codes.InvalidArgument, "the stream names no node, or a lane out of range")
	}
	if err := t.checkName(ctx, from.node); err != nil {
		return origin{}, err
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
