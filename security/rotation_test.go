package security

import (
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// certified is a node whose certificate and authorities are in files.
type certified struct {
	*Identity
	name  string
	dir   string
	files CertificateFiles
}

func newCertified(t *testing.T, ca *authority, name string) *certified {
	t.Helper()
	n := &certified{name: name, dir: t.TempDir()}
	n.files = writeFiles(t, n.dir, ca, mustIssue(t, ca, name))
	credentials, err := LoadCertificates(mustSecret(t, testSecret), "lab", n.files)
	if err != nil {
		t.Fatal(err)
	}
	n.Identity = mustIdentity(t, credentials, name)
	return n
}

// trust writes the file of the authorities.
func (n *certified) trust(t *testing.T, authorities ...*authority) {
	t.Helper()
	var file []byte
	for _, ca := range authorities {
		file = append(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw})...)
	}
	if err := os.WriteFile(n.files.CA, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certify gives the node a new certificate, and leaves the file of the authorities as it is.
func (n *certified) certify(t *testing.T, ca *authority) {
	t.Helper()
	trusted, err := os.ReadFile(n.files.CA)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, n.dir, ca, mustIssue(t, ca, n.name))
	if err := os.WriteFile(n.files.CA, trusted, 0o600); err != nil {
		t.Fatal(err)
	}
}

// meet has two nodes connect to each other, both ways, and returns what went wrong.
func meet(t *testing.T, a, b *certified) error {
	t.Helper()
	<-time.After(2 * rereadPause)
	_, ab1, ab2 := handshake(t, a.ServerTLS(), b.ClientTLS(a.name))
	_, ba1, ba2 := handshake(t, b.ServerTLS(), a.ClientTLS(b.name))
	return errors.Join(ab1, ab2, ba1, ba2)
}

func TestAnAuthorityIsRotatedWhileNodesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := ownAuthority(t, "lab"), authorityOf(t, "the next authority", "lab")
		a, b := newCertified(t, old, "a"), newCertified(t, old, "b")
		for _, step := range []struct {
			what string
			do   func(*certified)
		}{
			{"trust both", func(n *certified) { n.trust(t, old, young) }},
			{"new certificates", func(n *certified) { n.certify(t, young) }},
			{"trust the new one alone", func(n *certified) { n.trust(t, young) }},
		} {
			for _, n := range []*certified{a, b} {
				step.do(n)
				if err := meet(t, a, b); err != nil {
					t.Fatalf("%s, by %s: %v", step.what, n.name, err)
				}
			}
		}
		behind := newCertified(t, old, "behind")
		behind.trust(t, old, young)
		if err := meet(t, a, behind); !errors.Is(err, ErrUntrusted) {
			t.Errorf("the authority that is trusted no longer: %v", err)
		}
	})
}

func TestNodesWhoseFilesAreAllReplacedGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := ownAuthority(t, "lab"), authorityOf(t, "the next authority", "lab")
		a, b := newCertified(t, old, "a"), newCertified(t, old, "b")
		for _, n := range []*certified{a, b} {
			writeFiles(t, n.dir, young, mustIssue(t, young, n.name))
		}
		if err := meet(t, a, b); err != nil {
			t.Error(err)
		}
	})
}

func TestAFileOfAuthoritiesThatCannotBeReadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := ownAuthority(t, "lab")
		a, b := newCertified(t, ca, "a"), newCertified(t, ca, "b")
		stranger := newCertified(t, authorityOf(t, "another authority", "lab"), "stranger")
		for what, spoil := range map[string]func() error{
			"half written": func() error { return os.WriteFile(a.files.CA, []byte("-----BEGIN"), 0o600) },
			"cut short": func() error {
				a.trust(t, ca, ca)
				file, err := os.ReadFile(a.files.CA)
				return errors.Join(err, os.WriteFile(a.files.CA, file[:len(file)-60], 0o600))
			},
			"empty":   func() error { return os.WriteFile(a.files.CA, nil, 0o600) },
			"missing": func() error { return os.Remove(a.files.CA) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if err := meet(t, a, b); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if err := meet(t, a, stranger); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), a.files.CA) {
				t.Errorf("%s: a stranger: %v", what, err)
			}
		}
	})
}
