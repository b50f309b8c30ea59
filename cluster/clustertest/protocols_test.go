package clustertest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestTLSRunsOverTheNetwork(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		config := selfSigned(t)
		rawClient, rawServer := f.connect()
		client, server := tls.Client(rawClient, config), tls.Server(rawServer, config)
		var all sync.WaitGroup
		all.Go(func() {
			io.Copy(server, server)
			server.Close()
		})
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		all.Go(func() {
			if _, err := client.Write(sent); err != nil {
				t.Errorf("Write: %v", err)
			}
			client.CloseWrite()
		})
		got, err := io.ReadAll(client)
		if string(got) != string(sent) || err != nil {
			t.Errorf("%d bytes, or damaged ones, came back of %d; error %v", len(got), len(sent), err)
		}
		all.Wait()
		client.Close()
	})
}

func TestGRPCRunsOverTheNetworkInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(10*time.Millisecond, 10*time.Millisecond)
		client := f.serveGRPC()

		reply := new(wrapperspb.StringValue)
		if err := client.Invoke(t.Context(), "/test.Echo/Unary", wrapperspb.String("one"), reply); err != nil || reply.Value != "one" {
			t.Errorf("unary call: %q, %v", reply.Value, err)
		}

		stream := f.openStream(client)
		start := time.Now()
		for i := range 100 {
			if err := stream.SendMsg(wrapperspb.String(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 100 {
			if err := stream.RecvMsg(reply); err != nil || reply.Value != fmt.Sprint(i) {
				t.Fatalf("message %d of the stream: %q, %v", i, reply.Value, err)
			}
		}
		if took := time.Since(start); took < 20*time.Millisecond || took > 100*time.Millisecond {
			t.Errorf("100 messages in a stream took %v with a round trip of 20ms", took)
		}
		stream.CloseSend()
		if err := stream.RecvMsg(reply); err != io.EOF {
			t.Errorf("the end of the stream: %v", err)
		}
	})
}

func TestGRPCNoticesFaultsInVirtualTime(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client := f.serveGRPC()
		reply := new(wrapperspb.StringValue)
		exchange := func(stream grpc.ClientStream, text string) error {
			if err := stream.SendMsg(wrapperspb.String(text)); err != nil {
				return err
			}
			return stream.RecvMsg(reply)
		}

		stream := f.openStream(client)
		if err := exchange(stream, "before"); err != nil {
			t.Fatal(err)
		}
		f.Partition([]string{"a"}, []string{"b"})
		start := time.Now()
		err := exchange(stream, "during")
		// Keep-alive: 10 s until the ping, and 5 s for its answer.
		if took := time.Since(start); status.Code(err) != codes.Unavailable || took > 16*time.Second {
			t.Errorf("after %v of partition: %v, want Unavailable within 16s", took, err)
		}

		f.Heal()
		client.ResetConnectBackoff()
		stream = f.openStream(client, grpc.WaitForReady(true))
		if err := exchange(stream, "after"); err != nil || reply.Value != "after" {
			t.Errorf("healed: %q, %v", reply.Value, err)
		}

		time.AfterFunc(time.Second, f.b.Crash)
		start = time.Now()
		if err := stream.RecvMsg(reply); status.Code(err) != codes.Unavailable {
			t.Errorf("crashed: %v, want Unavailable", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("the crash after a second was noticed after %v", took)
		}
		if err := client.Invoke(t.Context(), "/test.Echo/Unary", wrapperspb.String(""), reply); status.Code(err) != codes.Unavailable {
			t.Errorf("a call to a crashed host: %v, want Unavailable", err)
		}
	})
}

// serveGRPC runs an echo service over TLS on b and returns a client on a.
func (f *fixture) serveGRPC() *grpc.ClientConn {
	f.Helper()
	config := selfSigned(f.T)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	server.RegisterService(&echoService, nil)
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(f.listener)
	}()
	f.Cleanup(func() {
		server.Stop()
		<-served
	})

	client, err := grpc.NewClient("passthrough:///"+f.listener.Addr().String(),
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return f.a.Dial(ctx, address)
		}))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { client.Close() })
	return client
}

func (f *fixture) openStream(client *grpc.ClientConn, options ...grpc.CallOption) grpc.ClientStream {
	f.Helper()
	stream, err := client.NewStream(f.Context(), &echoService.Streams[0], "/test.Echo/Stream", options...)
	if err != nil {
		f.Fatal(err)
	}
	return stream
}

var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Unary",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			m := new(wrapperspb.StringValue)
			return m, decode(m)
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName:    "Stream",
		ClientStreams: true,
		ServerStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			for m := new(wrapperspb.StringValue); ; {
				if err := stream.RecvMsg(m); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				if err := stream.SendMsg(m); err != nil {
					return err
				}
			}
		},
	}},
}

// selfSigned returns a configuration for both sides.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		DNSNames:     []string{"node"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      roots,
		ServerName:   "node",
		MinVersion:   tls.VersionTLS13,
	}
}
