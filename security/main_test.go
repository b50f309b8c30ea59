package security

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"testing"
)

// racerDir, if set, makes the test binary a process that creates the secret in
// that folder as soon as its standard input ends, and prints what it got.
const racerDir = "TROUPE_TEST_RACER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(racerDir); dir != "" {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		secret, created, err := LoadOrCreateSecret(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%x %t\n", sha256.Sum256([]byte(*secret.text)), created)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func mustSecret(t testing.TB, text string) Secret {
	t.Helper()
	secret, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func mustDerive(t testing.TB, secret, cluster string) *Credentials {
	t.Helper()
	credentials, err := Derive(mustSecret(t, secret), cluster)
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

func mustIdentity(t testing.TB, credentials *Credentials, node string) *Identity {
	t.Helper()
	id, err := credentials.Identity(node)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func authorityOf(t *testing.T, secret, cluster string) *authority {
	t.Helper()
	stretched, err := stretch(mustSecret(t, secret), cluster)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := expand(stretched, "certificate authority")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := newAuthority(cluster, seed)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}
