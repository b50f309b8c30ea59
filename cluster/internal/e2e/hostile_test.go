package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStrangersTakeNothingFromANode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := start(t, "a", []string{"TROUPE_NAME=a", "TROUPE_STATE_DIR=" + dir})
	address := get[joined](a, "join").Address
	a.do("serve")
	b := node(t, "b", dir)
	all([]*process{a, b}, "meet", "a", "b")
	b.do("work", "a")
	before := get[usage](a, "usage")

	for name, attack := range map[string]func(*testing.T, string){
		"plaintext":                 plaintext,
		"random bytes":              randomBytes,
		"silence":                   silence,
		"an old version of TLS":     oldTLS,
		"TLS without a certificate": anonymousTLS,
		"a flood of packets":        packetFlood,
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, address)
			b.do("work", "a")
		})
	}

	// A few goroutines and a little memory come and go with gossip.
	after := get[usage](a, "settle", strconv.Itoa(before.Goroutines+3), strconv.FormatUint(before.Heap+1<<20, 10))
	t.Logf("goroutines %d before, %d after; heap %d KiB before, %d KiB after",
		before.Goroutines, after.Goroutines, before.Heap>>10, after.Heap>>10)
	all([]*process{a, b}, "meet", "a", "b")
}

// crowd connects n times at once, lets each send first, and expects the node to
// close the connection without an answer but a TLS alert.
func crowd(t *testing.T, address string, n int, first func() []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(deadline))
			_, _ = conn.Write(first()) // it may be closed by now
			answer, err := io.ReadAll(conn)
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Errorf("the node keeps the connection of a stranger")
			}
			const alert = 21 // RFC 8446, 5.1
			if len(answer) > 0 && answer[0] != alert {
				t.Errorf("the node answers a stranger: %q", answer)
			}
		})
	}
	wg.Wait()
}

func plaintext(t *testing.T, address string) {
	crowd(t, address, 50, func() []byte { return []byte("GET / HTTP/1.1\r\nHost: troupe\r\n\r\n") })
}

func randomBytes(t *testing.T, address string) {
	crowd(t, address, 50, func() []byte { return random(4 << 10) })
}

func silence(t *testing.T, address string) {
	crowd(t, address, 500, func() []byte { return nil })
}

func oldTLS(t *testing.T, address string) {
	_, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func anonymousTLS(t *testing.T, address string) {
	for _, protocol := range []string{"h2", "troupe-gossip/1"} {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
		if err != nil {
			t.Error(err)
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(deadline))
		// In TLS 1.3 the client learns that it was refused when it reads.
		if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("%s: %v", protocol, err)
		}
		_ = conn.Close()
	}
}

func packetFlood(t *testing.T, address string) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	noise := random(64 << 10)
	for i := range 20_000 {
		_, _ = conn.Write(noise[i : i+1+i%1400])
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: see crypto/rand
	return b
}

func TestAWrongSecretIsNamedOnBothSides(t *testing.T) {
	t.Parallel()
	env := func(name string, more ...string) []string {
		return append(more, "TROUPE_NAME="+name, "TROUPE_LISTEN=127.0.0.1:0", "TROUPE_STATE_DIR="+t.TempDir())
	}
	a := start(t, "a", env("a", secret))
	address := get[joined](a, "join").Address
	stranger := start(t, "stranger", env("stranger", "TROUPE_SECRET=some other secret, as good as that", "TROUPE_SEEDS="+address))
	_, err := stranger.begin("join").outcome()
	if err == nil || !strings.Contains(err.Error(), "compare the names and the secrets") {
		t.Errorf("a node with another secret gets %v", err)
	}
	t.Log(stranger.awaitLog("did not join"))
	t.Log(a.awaitLog("a peer was refused", "another secret"))
	a.do("meet", "a")
}
