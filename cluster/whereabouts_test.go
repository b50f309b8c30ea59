package cluster

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/security"
)

// onHost is a node of the host 10.0.0.1, and what it logs.
func onHost() (*Node, *bytes.Buffer) {
	log := new(bytes.Buffer)
	n := &Node{
		name: "a", address: "10.0.0.1:7420", network: IPNetwork{}, log: slog.New(slog.NewTextHandler(log, nil)),
		host: hostOf([]string{"docker0 172.17.0.1 idle", "eth0 10.0.0.1"}),
	}
	return n, log
}

func TestWhyAnAddressLeadsToAnotherPlaceIsSaid(t *testing.T) {
	refused := errors.New("connection refused")
	for what, test := range map[string]struct {
		advertised, met string
		err             error
		want            string // "" for nothing
		warned          bool
	}{
		"an address of this host":               {"172.17.0.1:7420", "10.0.0.2", refused, "node b is at 10.0.0.2, and advertises 172.17.0.1:7420, which is an address of this host", true},
		"this node's own":                       {"10.0.0.1:7420", "10.0.0.2", security.ErrWrongPeer, "which is an address of this host", true},
		"loopback":                              {"127.0.0.1:7420", "10.0.0.2", refused, "which is an address of this host", true},
		"this host, not met yet":                {"172.17.0.1:7421", "", refused, "if it does not run here", false},
		"a neighbour that has ended":            {"10.0.0.1:7421", "10.0.0.1", refused, "", false},
		"another place than advertised":         {"10.1.0.2:7420", "10.0.0.2", refused, "advertises 10.1.0.2:7420, and was met at 10.0.0.2", false},
		"a stranger":                            {"10.0.0.2:7420", "10.0.0.2", security.ErrUntrusted, "what answers at 10.0.0.2:7420, which node b advertises, is another program", false},
		"no TLS":                                {"10.0.0.2:7420", "10.0.0.2", tls.RecordHeaderError{Msg: "no TLS"}, "is another program", false},
		"nothing":                               {"10.0.0.2:7420", "10.0.0.2", refused, "", false},
		"a name in place of an address":         {"example.org:7420", "10.0.0.2", refused, "", false},
		"the successor of a node that has left": {"10.0.0.2:7420", "10.0.0.2", security.ErrWrongPeer, "", false},
	} {
		t.Run(what, func(t *testing.T) {
			n, log := onHost()
			if test.met != "" {
				n.whereabouts.note("b", netip.MustParseAddr(test.met))
			}
			got := n.explain("b", test.advertised, test.err)
			if test.want == "" && got != test.err || !strings.Contains(got.Error(), test.want) ||
				test.want != "" && !strings.Contains(got.Error(), "TROUPE_ADVERTISE") || !errors.Is(got, test.err) && test.err == refused {
				t.Errorf("explain = %v", got)
			}
			for range 3 {
				n.checkAddress(gossip.Member{Node: "b", Address: test.advertised})
			}
			if said := log.String(); strings.Count(said, "leads back here") != map[bool]int{true: 1}[test.warned] || test.warned && !strings.Contains(said, "met_at="+test.met) {
				t.Errorf("it logged %q", said)
			}
		})
	}
}

func TestWhereaboutsAreBounded(t *testing.T) {
	var w whereabouts
	for i := range 3 * maxWhereabouts {
		node := strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune(0x4e00+i))
		w.note(node, netip.MustParseAddr("10.0.0.1"))
		if !w.first(node, "10.0.0.1:1") || w.first(node, "10.0.0.1:1") {
			t.Fatal("it is not asked about for the first time once")
		}
	}
	if len(w.places) > maxWhereabouts || len(w.warned) > maxWhereabouts {
		t.Errorf("%d places, %d warnings", len(w.places), len(w.warned))
	}
}
