package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/security"
)

// refuse knocks at a node: as a member, in the clear, and with another secret.
func (t *tour) refuse(ctx context.Context) (string, error) {
	address, _ := t.nodes[anna].Said(addressWord)
	state, err := t.handshake(ctx, anna, address)
	if err != nil {
		return "", err
	}
	peer, err := security.PeerOf(state)
	if err != nil {
		return "", err
	}
	version := tls.VersionName(state.Version)
	t.Note("%s speaks %s, %s", address, version, tls.CipherSuiteName(state.CipherSuite))
	t.Note("its certificate is good for %.0f hours", time.Until(state.PeerCertificates[0].NotAfter).Hours())
	t.Claim(peer.Node == anna && state.Version == tls.VersionTLS13, "it proves to be %s", peer)

	reply, err := speakPlain(ctx, address)
	t.Claim(err == nil, "a client without TLS is disconnected, and told nothing%s", because(reply, err))

	err = t.intrude(ctx, address)
	t.Claim(errors.Is(err, cluster.ErrWrongSecret), "a node with another secret is refused: %v", actor.CodeOf(err))
	if !errors.Is(err, cluster.ErrWrongSecret) {
		t.Note("it got: %v", err)
	}

	workers := cluster.Service[Worker](t.node, "worker")
	o := load(ctx, askers, times(askers*len(names())), func(ctx context.Context) (Done, error) {
		return actor.Ask(ctx, workers, Work{})
	})
	t.Claim(len(o.failures) == 0 && len(t.node.Members()) == len(names())+1, "the cluster is as it was%s", firstOf(o.failures))
	return version + ", mutual", ctx.Err()
}

// handshake connects to a node with the keys of the cluster.
func (t *tour) handshake(ctx context.Context, node, address string) (tls.ConnectionState, error) {
	secret, _, err := security.LoadOrCreateSecret(t.stage.Dir)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	keys, err := security.Derive(secret, t.node.Cluster())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	identity, err := keys.Identity(visitor)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	dialer := tls.Dialer{Config: identity.ClientTLS(node, "h2")}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

// tlsAlert is the first byte of the record with which TLS says no.
const tlsAlert = 21

// speakPlain sends a request in the clear and returns what comes back until the
// node hangs up. It is an error if that is an answer, or nobody hangs up.
func speakPlain(ctx context.Context, address string) (reply []byte, err error) {
	conn, err := cluster.IPNetwork{}.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * slowest)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+address+"\r\n\r\n"); err != nil {
		return nil, nil // hung up already
	}
	reply, err = io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return reply, errors.New("the connection stays open")
	}
	if len(reply) > 0 && reply[0] != tlsAlert {
		return reply, errors.New("it was answered")
	}
	return reply, nil
}

func because(reply []byte, err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(" (%v: %q)", err, reply)
}

// intrude tries to join with a secret that is not the cluster's, and returns the
// error.
func (t *tour) intrude(ctx context.Context, address string) error {
	secret, err := security.ParseSecret("not the secret of this cluster")
	if err != nil {
		return err
	}
	node, err := cluster.Join(ctx,
		cluster.WithName("intruder"),
		cluster.WithSecret(secret),
		cluster.WithSeeds(address),
		cluster.WithListen("127.0.0.1:0"),
		cluster.WithStateDir(filepath.Join(t.stage.Dir, "intruder")),
		cluster.WithLogger(t.stage.Logger()),
		cluster.WithEnvironment(func(string) string { return "" }))
	if err != nil {
		return err
	}
	return errors.Join(errors.New("it joined"), node.Leave(ctx))
}
