package link

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

func FuzzHandshake(f *testing.F) {
	for _, m := range []proto.Message{
		&consensuspb.Hello{Core: "c", From: "a/1", To: "b/2", Purpose: consensuspb.Hello_LEAVE},
		&consensuspb.Welcome{Refusal: "no"},
	} {
		var b bytes.Buffer
		_ = WriteHandshake(&b, m)
		f.Add(b.Bytes())
	}
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var hello consensuspb.Hello
		in := bytes.NewReader(b)
		if err := readHandshake(in, &hello); err != nil {
			return
		}
		if read := len(b) - in.Len(); read > maxHandshake+2 {
			t.Errorf("%d bytes were read", read)
		}
		_ = refusal("c", "a/1", "b", &hello)
	})
}

func TestAWelcomeOfAnotherMajorIsRefused(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		var hello consensuspb.Hello
		if readHandshake(there, &hello) == nil {
			_ = WriteHandshake(there, &consensuspb.Welcome{Version: &consensuspb.Version{Major: 3}})
		}
	}()
	_, err := Greet(t.Context(), here, &consensuspb.Hello{From: "a/1", To: "b/1"})
	if err == nil || !strings.Contains(err.Error(), `node "b" speaks version 3.0 of the core, node "a" 1.0`) {
		t.Error(err)
	}
}
