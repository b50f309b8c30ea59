package security

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A change of these values parts new nodes from old ones: it needs a v2.
func TestDerivationIsStable(t *testing.T) {
	const (
		wantGossip = "7a3da8e9cf3e58ed4eded7007da0bc991253299eb480af5394df18af488dad59"
		wantCA     = "56f8f4d31d05efb654d9e79812d23d9c762eb251b2b78ffe992a217287e1e918"
	)
	credentials := mustDerive(t, testSecret, "lab")
	if got := hex.EncodeToString(credentials.GossipKey()); got != wantGossip {
		t.Errorf("gossip key: got %s, want %s", got, wantGossip)
	}
	ca := authorityOf(t, testSecret, "lab")
	if got := fmt.Sprintf("%x", sha256.Sum256(ca.certificate.Raw)); got != wantCA {
		t.Errorf("CA certificate: got SHA-256 %s, want %s", got, wantCA)
	}
}

func TestSecretAndClusterBothDecideTheKeys(t *testing.T) {
	base := mustDerive(t, testSecret, "lab")
	for _, other := range []*Credentials{mustDerive(t, testSecret+"!", "lab"), mustDerive(t, testSecret, "lab2")} {
		if bytes.Equal(base.GossipKey(), other.GossipKey()) {
			t.Error("the same gossip key")
		}
		if base.roots.Equal(other.roots) {
			t.Error("the same certificate authority")
		}
	}
	if again := mustDerive(t, " "+testSecret+"\n", "lab"); !bytes.Equal(base.GossipKey(), again.GossipKey()) || !base.roots.Equal(again.roots) {
		t.Error("the same secret and cluster gave other keys")
	}
	if base.Cluster() != "lab" || base.Node() != "" {
		t.Errorf("Cluster() = %q, Node() = %q", base.Cluster(), base.Node())
	}
}

func TestGossipKeyIsACopy(t *testing.T) {
	credentials := mustDerive(t, testSecret, "lab")
	key := credentials.GossipKey()
	if len(key) != 32 {
		t.Errorf("the key has %d bytes", len(key))
	}
	key[0]++
	if bytes.Equal(key, credentials.GossipKey()) {
		t.Error("a caller can change the key")
	}
}

func TestDeriveRefusesBadInput(t *testing.T) {
	if _, err := Derive(Secret{}, "lab"); !errors.Is(err, ErrSecret) {
		t.Errorf("no secret: %v", err)
	}
	if _, err := Derive(mustSecret(t, testSecret), "the lab"); !errors.Is(err, ErrName) {
		t.Errorf("bad cluster name: %v", err)
	}
	if _, err := mustDerive(t, testSecret, "lab").Identity("a/b"); !errors.Is(err, ErrName) {
		t.Errorf("bad node name: %v", err)
	}
}

func TestKeysNeverPrint(t *testing.T) {
	credentials := mustDerive(t, testSecret, "lab")
	id := mustIdentity(t, credentials, "n1")
	type holder struct {
		credentials *Credentials
		copied      Credentials
		id          *Identity
	}
	keys := [][]byte{credentials.GossipKey(), id.current.PrivateKey.(ed25519.PrivateKey).Seed()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%p"} {
		for _, value := range []any{credentials, *credentials, id, holder{credentials, *credentials, id}} {
			printed := fmt.Sprintf(verb, value)
			for _, key := range keys {
				for _, form := range []string{string(key), hex.EncodeToString(key), strings.Trim(fmt.Sprint(key), "[]")} {
					if strings.Contains(printed, form) {
						t.Errorf("%s of %T shows a key: %s", verb, value, printed)
					}
				}
			}
		}
	}
	if got := fmt.Sprintf("%v %d", id, id); got != "spiffe://lab/node/n1 spiffe://lab/node/n1" {
		t.Errorf("the identity prints as %q", got)
	}
}
