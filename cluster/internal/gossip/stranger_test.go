package gossip

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log that counts.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// sealed returns a packet as memberlist sends it, but always the same.
func sealed(s *seal, plain []byte) []byte {
	nonce := make([]byte, sealNonceLen)
	return s.aead.Seal(append(bytes.Clone(s.prefix), nonce...), nonce, plain, s.label)
}

func TestPacketsOfStrangersAreCountedAndHurtNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		n := newTestNetwork()
		members := n.cluster(t, 2, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
		target := members[0]
		other, err := newSeal("test", bytes.Repeat([]byte{8}, KeyLen))
		if err != nil {
			t.Fatal(err)
		}
		mine := target.transport.seal
		hostile := func(i int) []byte {
			b := make([]byte, mathrand.IntN(1500))
			_, _ = rand.Read(b)
			switch i % 5 {
			case 0: // random bytes
			case 1: // random bytes with our label
				b = append(bytes.Clone(mine.prefix), b...)
			case 2: // another key
				b = sealed(other, b)
			case 3: // far too large
				b = make([]byte, 60<<10)
			case 4: // genuine, cut
				b = sealed(mine, []byte("x"))
				b = b[:mathrand.IntN(len(b))]
			}
			return b
		}
		before := target.Stats()
		const count = 1000
		for i := range count {
			n.send("stranger", target.host.address, hostile(i))
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		pass(time.Minute)
		after := target.Stats()
		if got := after.PacketsRejected - before.PacketsRejected; got != count {
			t.Errorf("%d packets counted of %d", got, count)
		}
		if !members[0].sees(members[1].Self()) || !members[1].sees(members[0].Self()) {
			t.Error("the members lost each other")
		}
		if got := strings.Count(log.String(), "\n"); got > 5 {
			t.Errorf("%d lines were logged:\n%s", got, log)
		}
	})
}

func TestNoChangedPacketIsGenuine(t *testing.T) {
	s, err := newSeal("test", bytes.Repeat([]byte{7}, KeyLen))
	if err != nil {
		t.Fatal(err)
	}
	packet := sealed(s, bytes.Repeat([]byte{0xff}, 40))
	if !s.genuine(packet) {
		t.Fatal("the seal refuses its own packet")
	}
	for i := range packet {
		for _, bit := range []byte{1, 128} {
			changed := bytes.Clone(packet)
			changed[i] ^= bit
			if s.genuine(changed) {
				t.Errorf("a change of byte %d was not noticed", i)
			}
		}
	}
	if s.genuine(sealed(s, nil)) || s.genuine(nil) {
		t.Error("an empty packet is genuine")
	}
}

func FuzzGenuine(f *testing.F) {
	s, err := newSeal("test", bytes.Repeat([]byte{7}, KeyLen))
	if err != nil {
		f.Fatal(err)
	}
	genuine := sealed(s, []byte("payload"))
	f.Add(genuine)
	f.Add(s.prefix)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s.genuine(b) && !bytes.Equal(b, genuine) {
			t.Errorf("forged: %x", b)
		}
	})
}

// A member with another version of this package sends what cannot be read.
func TestMalformedMessagesOfMembersHurtNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 2)
		to := members[1].Self().endpoint()
		if err := members[0].list.SendReliable(to, []byte{99}); err != nil {
			t.Fatal(err)
		}
		if err := members[0].list.SendBestEffort(to, []byte{99}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if got := members[1].Stats().MessagesMalformed; got != 2 {
			t.Errorf("%d malformed messages counted", got)
		}
		if !members[1].sees(members[0].Self()) {
			t.Error("the member was lost")
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		m := n.open(t, "a", "10.0.0.1:7000")
		host := n.listen(t, "10.0.0.2:7000")
		for range maxStreams + 10 {
			c, err := host.dial(t.Context(), m.host.address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
		}
		synctest.Wait()
		if got := m.Stats(); got.Streams != maxStreams || got.StreamsRefused != 10 {
			t.Errorf("got %+v", got)
		}
		pass(time.Minute) // the silent ones are closed
		peer := n.open(t, "b", "10.0.0.3:7000")
		join(t, peer, m)
	})
}
