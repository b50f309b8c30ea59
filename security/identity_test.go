package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// handshake connects a client and a server and sends one byte from the server,
// so that the client also meets what TLS 1.3 tells it only after its handshake.
func handshake(t *testing.T, server, client *tls.Config) (states [2]tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	// TCP, since a net.Pipe deadlocks when one side gives up while the other one
	// writes. Both ends stay open until both are done, so that no alert is lost.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	clientEnd, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer clientEnd.Close()
	serverEnd, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer serverEnd.Close()

	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Server(serverEnd, server)
		if serverErr = conn.Handshake(); serverErr == nil {
			_, serverErr = conn.Write([]byte{1})
		}
		states[0] = conn.ConnectionState()
	}()
	conn := tls.Client(clientEnd, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		_, clientErr = io.ReadFull(conn, make([]byte, 1))
	}
	states[1] = conn.ConnectionState()
	<-done
	return states, serverErr, clientErr
}

func TestNodesOfAClusterKnowEachOther(t *testing.T) {
	// Two processes: each derives by itself.
	a := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a")
	b := mustIdentity(t, mustDerive(t, testSecret, "lab"), "b")
	for _, expected := range []string{"", "b"} {
		states, serverErr, clientErr := handshake(t, b.ServerTLS("troupe", "h2"), a.ClientTLS(expected, "h2"))
		if serverErr != nil || clientErr != nil {
			t.Fatalf("expecting %q: server %v, client %v", expected, serverErr, clientErr)
		}
		for i, want := range []string{"a", "b"} {
			if peer, err := PeerOf(states[i]); err != nil || peer != (Peer{"lab", want}) {
				t.Errorf("peer is %v, %v, want %s", peer, err, want)
			}
			if states[i].Version != tls.VersionTLS13 || states[i].NegotiatedProtocol != "h2" {
				t.Errorf("TLS version %x, protocol %q", states[i].Version, states[i].NegotiatedProtocol)
			}
		}
	}
}

func TestStrangersAreRefusedByBothSides(t *testing.T) {
	ours := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a")
	for _, tt := range []struct {
		name     string
		stranger *Identity
		want     error
	}{
		{"another secret", mustIdentity(t, mustDerive(t, "another-secret-of-ours", "lab"), "b"), ErrUntrusted},
		{"another cluster", mustIdentity(t, mustDerive(t, testSecret, "other"), "b"), ErrWrongCluster},
	} {
		// The stranger as a client that takes any server: ours must refuse it.
		client := tt.stranger.ClientTLS("")
		client.VerifyConnection = nil
		states, serverErr, clientErr := handshake(t, ours.ServerTLS(), client)
		if !errors.Is(serverErr, tt.want) || !IsRejection(clientErr) {
			t.Errorf("%s: server %v, client %v", tt.name, serverErr, clientErr)
		}
		if peer, err := PeerOf(states[0]); err == nil {
			t.Errorf("%s: known to the server as %v", tt.name, peer)
		}
		// The stranger as a server that takes any client.
		server := tt.stranger.ServerTLS()
		server.VerifyConnection = nil
		_, serverErr, clientErr = handshake(t, server, ours.ClientTLS(""))
		if !errors.Is(clientErr, tt.want) || !IsRejection(serverErr) {
			t.Errorf("%s: server %v, client %v", tt.name, serverErr, clientErr)
		}
		if IsRejection(clientErr) {
			t.Errorf("%s: our own refusal is taken for the peer's", tt.name)
		}
	}
}

func TestAnotherNodeThanTheExpectedIsRefused(t *testing.T) {
	credentials := mustDerive(t, testSecret, "lab")
	server := mustIdentity(t, credentials, "b").ServerTLS()
	_, _, clientErr := handshake(t, server, mustIdentity(t, credentials, "a").ClientTLS("c"))
	if !errors.Is(clientErr, ErrWrongPeer) || !strings.Contains(clientErr.Error(), `"b"`) {
		t.Errorf("got %v", clientErr)
	}
}

func TestANodeThatReachesItselfInPlaceOfAnotherSaysWhy(t *testing.T) {
	a := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a")
	_, _, err := handshake(t, a.ServerTLS(), a.ClientTLS("b"))
	if !errors.Is(err, ErrWrongPeer) || !strings.Contains(err.Error(), "leads back") || !strings.Contains(err.Error(), "TROUPE_ADVERTISE") {
		t.Errorf("got %v", err)
	}
}

func TestClientsThatAreNoNodesAreRefused(t *testing.T) {
	credentials := mustDerive(t, testSecret, "lab")
	node := mustIdentity(t, credentials, "a")
	authority := authorityOf(t, testSecret, "lab")

	bare := &tls.Config{InsecureSkipVerify: true}
	if _, serverErr, clientErr := handshake(t, node.ServerTLS(), bare); serverErr == nil || clientErr == nil {
		t.Errorf("without a certificate: server %v, client %v", serverErr, clientErr)
	}
	old := node.ClientTLS("")
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, serverErr, clientErr := handshake(t, node.ServerTLS(), old); serverErr == nil || clientErr == nil {
		t.Errorf("with TLS 1.2: server %v, client %v", serverErr, clientErr)
	}
	// Even the authority's own certificate is not a node.
	ca := node.ClientTLS("")
	ca.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{authority.certificate.Raw}, PrivateKey: authority.key}, nil
	}
	if _, serverErr, _ := handshake(t, node.ServerTLS(), ca); !errors.Is(serverErr, ErrUntrusted) {
		t.Errorf("with the authority's certificate: %v", serverErr)
	}
}

func TestAPlaintextClientIsRefused(t *testing.T) {
	node := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a")
	serverEnd, clientEnd := net.Pipe()
	answer := make(chan []byte)
	go func() {
		_, _ = io.WriteString(clientEnd, "GET / HTTP/1.0\r\n\r\n")
		got, _ := io.ReadAll(clientEnd)
		answer <- got
	}()
	err := tls.Server(serverEnd, node.ServerTLS()).Handshake()
	_ = serverEnd.Close()
	if _, ok := errors.AsType[tls.RecordHeaderError](err); !ok {
		t.Errorf("got %v", err)
	}
	if got := <-answer; len(got) > 7 { // one TLS alert at most
		t.Errorf("the server answered %q", got)
	}
}

func TestConnectionsAreNotResumed(t *testing.T) {
	credentials := mustDerive(t, testSecret, "lab")
	server, client := mustIdentity(t, credentials, "b").ServerTLS(), mustIdentity(t, credentials, "a").ClientTLS("b")
	client.ServerName = "b"
	client.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for range 2 {
		states, serverErr, clientErr := handshake(t, server, client)
		if serverErr != nil || clientErr != nil || states[0].DidResume || states[1].DidResume {
			t.Fatalf("server %v, client %v, resumed %t", serverErr, clientErr, states[0].DidResume)
		}
	}
}

func TestCertificatesAreRenewedByUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		credentials := mustDerive(t, testSecret, "lab")
		a, b := mustIdentity(t, credentials, "a"), mustIdentity(t, credentials, "b")
		server, client := b.ServerTLS(), a.ClientTLS("b")
		serial := func() string {
			states, serverErr, clientErr := handshake(t, server, client)
			if serverErr != nil || clientErr != nil {
				t.Fatalf("%v: server %v, client %v", time.Now(), serverErr, clientErr)
			}
			return states[1].PeerCertificates[0].SerialNumber.String() + states[0].PeerCertificates[0].SerialNumber.String()
		}
		first := serial()
		<-time.After(15 * time.Hour)
		if serial() != first {
			t.Error("renewed too early")
		}
		<-time.After(time.Hour)
		second := serial()
		if second == first {
			t.Error("not renewed after two thirds of its life")
		}
		<-time.After(30 * 24 * time.Hour) // idle for long
		if serial() == second {
			t.Error("an expired certificate is still in use")
		}
	})
}

func TestExpiredCertificatesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		credentials := mustDerive(t, testSecret, "lab")
		a, b := mustIdentity(t, credentials, "a"), mustIdentity(t, credentials, "b")
		stale, err := a.certificate()
		if err != nil {
			t.Fatal(err)
		}
		client := a.ClientTLS("")
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return stale, nil }

		<-time.After(certificateLife - time.Second)
		if _, serverErr, clientErr := handshake(t, b.ServerTLS(), client); serverErr != nil || clientErr != nil {
			t.Fatalf("in its last second: server %v, client %v", serverErr, clientErr)
		}
		<-time.After(2 * time.Second)
		_, serverErr, clientErr := handshake(t, b.ServerTLS(), client)
		if !errors.Is(serverErr, ErrUntrusted) || !strings.Contains(serverErr.Error(), "clocks") || !IsRejection(clientErr) {
			t.Errorf("server %v, client %v", serverErr, clientErr)
		}
	})
}

func TestAPeersClockMayBeBehind(t *testing.T) {
	id := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a")
	for behind, want := range map[time.Duration]bool{59 * time.Minute: true, 61 * time.Minute: false} {
		_, err := id.current.Leaf.Verify(x509.VerifyOptions{Roots: id.roots, CurrentTime: time.Now().Add(-behind)})
		if (err == nil) != want {
			t.Errorf("a clock %v behind: %v", behind, err)
		}
	}
}

func TestARenewalThatFailsKeepsTheCertificateWhileItIsValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := authorityOf(t, testSecret, "lab")
		broken := errors.New("broken")
		attempts, fail := 0, false
		id := &Identity{peer: Peer{"lab", "a"}, roots: authority.roots(), issue: func() (*tls.Certificate, error) {
			if attempts++; fail {
				return nil, broken
			}
			return authority.issue("a")
		}}
		first, err := id.certificate()
		if err != nil {
			t.Fatal(err)
		}
		fail = true
		<-time.After(20 * time.Hour)
		for range 3 {
			if got, err := id.certificate(); got != first || err != nil {
				t.Errorf("got %p, %v, want %p", got, err, first)
			}
		}
		if attempts != 2 {
			t.Errorf("%d attempts to issue, want 2: it does not pause", attempts)
		}
		<-time.After(5 * time.Hour)
		if _, err := id.certificate(); !errors.Is(err, broken) {
			t.Errorf("expired: got %v", err)
		}
		fail = false
		if got, err := id.certificate(); err != nil || got == first {
			t.Errorf("repaired: got %p, %v", got, err)
		}
	})
}

func TestAClockThatIsSetBackRenewsTheCertificate(t *testing.T) {
	authority := authorityOf(t, testSecret, "lab")
	id := &Identity{peer: Peer{"lab", "a"}, roots: authority.roots(), issue: func() (*tls.Certificate, error) {
		return authority.issue("a")
	}}
	future := func() *tls.Certificate {
		certificate, err := authority.issue("a")
		if err != nil {
			t.Fatal(err)
		}
		leaf := *certificate.Leaf
		leaf.NotBefore, leaf.NotAfter = leaf.NotBefore.Add(48*time.Hour), leaf.NotAfter.Add(48*time.Hour)
		certificate.Leaf = &leaf
		return certificate
	}()
	id.current, id.renewAt = future, time.Now().Add(60*time.Hour)
	if got, err := id.certificate(); err != nil || got == future {
		t.Errorf("got the certificate of the future, %v", err)
	}
}

func TestProtocolsBelongToTheCaller(t *testing.T) {
	id := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a")
	protocols := []string{"h2"}
	server, client := id.ServerTLS(protocols...), id.ClientTLS("", protocols...)
	protocols[0] = "changed"
	if !slices.Equal(server.NextProtos, []string{"h2"}) || !slices.Equal(client.NextProtos, []string{"h2"}) {
		t.Errorf("got %v and %v", server.NextProtos, client.NextProtos)
	}
}

func TestIsRejectionReadsTextToo(t *testing.T) {
	if IsRejection(nil) || IsRejection(io.EOF) {
		t.Error("no rejection is taken for one")
	}
	grpc := errors.New(`connection error: desc = "error reading server preface: remote error: tls: bad certificate"`)
	if !IsRejection(grpc) {
		t.Error("the text of gRPC is not recognized")
	}
}
