package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"testing"
)

func TestPeerString(t *testing.T) {
	if got, want := (Peer{Cluster: "lab", Node: "n1"}).String(), "spiffe://lab/node/n1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOnlyTheCanonicalIDNamesANode(t *testing.T) {
	for id, want := range map[string]Peer{
		"spiffe://lab/node/n1":         {"lab", "n1"},
		"spiffe://lab.example/node/N1": {"lab.example", "N1"},
		"spiffe://lab/node/n1/":        {},
		"spiffe://lab/node/n1?x":       {},
		"spiffe://lab/node/n1#x":       {},
		"spiffe://lab/node/n1?":        {},
		"spiffe://lab/node/%6e1":       {},
		"spiffe://lab:1/node/n1":       {},
		"spiffe://me@lab/node/n1":      {},
		"spiffe://LAB/node/n1":         {},
		"spiffe://lab/node/":           {},
		"spiffe://lab/node/a/../n1":    {},
		"spiffe://lab/n1":              {},
		"spiffe://lab//node/n1":        {},
		"spiffe:///node/n1":            {},
		"spiffe:lab/node/n1":           {},
		"https://lab/node/n1":          {},
	} {
		parsed, err := url.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsePeer(parsed)
		if got != want || (err == nil) != (want != Peer{}) || err != nil && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: got %v, %v", id, got, err)
		}
	}
}

func TestPeerOfAnUnfinishedHandshakeIsNobody(t *testing.T) {
	leaf := mustIdentity(t, mustDerive(t, testSecret, "lab"), "n1").current.Leaf
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	if peer, err := PeerOf(state); !errors.Is(err, ErrUntrusted) {
		t.Errorf("got %v, %v", peer, err)
	}
	state.HandshakeComplete = true
	if peer, err := PeerOf(state); err != nil || peer != (Peer{"lab", "n1"}) {
		t.Errorf("got %v, %v", peer, err)
	}
	state.PeerCertificates = nil
	if peer, err := PeerOf(state); !errors.Is(err, ErrUntrusted) {
		t.Errorf("without a certificate: got %v, %v", peer, err)
	}
}

func FuzzParsePeer(f *testing.F) {
	for _, seed := range []string{"spiffe://lab/node/n1", "spiffe://lab/node/%6e1", "spiffe:lab", "//lab/node/n1", "spiffe://[::1]:0/node/n1?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		parsed, err := url.Parse(id)
		if err != nil {
			return
		}
		peer, err := parsePeer(parsed)
		if err != nil {
			if !errors.Is(err, ErrUntrusted) || peer != (Peer{}) {
				t.Fatalf("got %v, %v", peer, err)
			}
			return
		}
		if ValidateCluster(peer.Cluster) != nil || ValidateNode(peer.Node) != nil || peer.String() != parsed.String() {
			t.Fatalf("%q is taken for %v", id, peer)
		}
	})
}
