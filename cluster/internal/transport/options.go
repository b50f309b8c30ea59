package transport

import (
	"context"
	"math"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
	ioBuffer     = 64 << 10

	// Membership finds dead nodes; keepalive is for what it does not see, a
	// connection that alone is dead.
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second

	connectTimeout = 5 * time.Second
	openTimeout    = 5 * time.Second
	backoffBase    = 50 * time.Millisecond
	backoffMax     = 2 * time.Second

	// maxStreams is per connection: a peer's lanes and a gateway's requests.
	maxStreams = 1024
)

const linkMethod = "/troupe.wire.v1.Link/Open"

func (t *Transport) linkDesc() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "troupe.wire.v1.Link",
		Streams: []grpc.StreamDesc{{
			StreamName:    "Open",
			Handler:       func(_ any, s grpc.ServerStream) error { return t.accept(s) },
			ServerStreams: true,
			ClientStreams: true,
		}},
		Metadata: "cluster/internal/wirepb/wire.proto",
	}
}

func (c *Config) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(c.serverCredentials()),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(c.maxFrame()),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.ReadBufferSize(ioBuffer),
		grpc.WriteBufferSize(ioBuffer),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime / 2, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
}

func (c *Config) dialOptions(node, address string, heard *pulse) []grpc.DialOption {
	explain := func(err error) error { return c.Explain(node, address, err) }
	return []grpc.DialOption{
		grpc.WithTransportCredentials(heeded{c.clientCredentials(node), heard, explain}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := c.Dial(ctx, address)
			if err != nil {
				return nil, explain(err)
			}
			return conn, nil
		}),
		grpc.WithNoProxy(),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableHealthCheck(),
		grpc.WithIdleTimeout(0),
		grpc.WithUserAgent("troupe"),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithReadBufferSize(ioBuffer),
		grpc.WithWriteBufferSize(ioBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: backoffBase, Multiplier: 1.6, Jitter: 0.2, MaxDelay: backoffMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(newCodec()),
			grpc.MaxCallRecvMsgSize(c.maxFrame()),
			grpc.MaxCallSendMsgSize(math.MaxInt32),
		),
	}
}
