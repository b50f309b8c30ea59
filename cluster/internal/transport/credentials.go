package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// handshaken are the server's credentials for connections whose TLS handshake
// the node's port has done before.
type handshaken struct{}

// ServerHandshake takes the identity that the connection already has.
func (handshaken) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, ok := c.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil, nil, errors.New("transport: a connection without TLS: accept through the node's port")
	}
	state := secured.ConnectionState()
	if !state.HandshakeComplete {
		return nil, nil, errors.New("transport: a connection before its TLS handshake: accept through the node's port")
	}
	return c, credentials.TLSInfo{
		State:          state,
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// ClientHandshake is never used: clients have credentials of their own.
func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("transport: server credentials used to dial")
}

// Info says that connections are TLS.
func (handshaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns the receiver, which has no state.
func (h handshaken) Clone() credentials.TransportCredentials { return h }

// OverrideServerName does nothing on a server.
func (handshaken) OverrideServerName(string) error { return nil }

func (c *Config) serverCredentials() credentials.TransportCredentials {
	if c.PeerName == nil {
		return insecure.NewCredentials()
	}
	return handshaken{}
}

func (c *Config) clientCredentials(node string) credentials.TransportCredentials {
	if c.ClientTLS == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(c.ClientTLS(node))
}
