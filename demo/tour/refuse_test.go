package main

import (
	"io"
	"net"
	"testing"
)

// serveOnce answers one connection and hangs up.
func serveOnce(t *testing.T, answer string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := conn.Read(make([]byte, 1024)); err == nil {
			_, _ = io.WriteString(conn, answer)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
	return l.Addr().String()
}

func TestSpeakPlainNoticesAnAnswer(t *testing.T) {
	for answer, refused := range map[string]bool{
		"":                             true,
		"\x15\x03\x01\x00\x02\x02\x46": true, // an alert: protocol_version
		"HTTP/1.1 200 OK\r\n\r\n":      false,
		"HTTP/1.1 400 Bad Request\r\n": false,
	} {
		if _, err := speakPlain(t.Context(), serveOnce(t, answer)); (err == nil) != refused {
			t.Errorf("answer %q: %v", answer, err)
		}
	}
}
