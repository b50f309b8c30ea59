package discovery

import (
	"net"
	"net/netip"
	"strings"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

const (
	mdnsDomain = mdnsService + ".local."
	// unicastBit asks for an answer to the asker alone (RFC 6762, section 5.4).
	unicastBit = 1 << 15
	// clusterKey is the key of the TXT pair with the cluster's name.
	clusterKey = "cluster"
)

// newZone returns the records that announce node.
func newZone(cluster, node string, own netip.AddrPort) (*mdns.MDNSService, error) {
	// A host name of its own lets two nodes of one host announce different addresses.
	host := node + ".troupe.local."
	ip := net.IP(own.Addr().Unmap().AsSlice())
	return mdns.NewMDNSService(node, mdnsService, "", host, int(own.Port()), []net.IP{ip}, newTXT(cluster))
}

func newQuestion(id uint16) ([]byte, error) {
	question := new(dns.Msg)
	question.SetQuestion(mdnsDomain, dns.TypePTR)
	question.Id = id
	question.RecursionDesired = false
	question.Question[0].Qclass |= unicastBit
	return question.Pack()
}

// parseAnswer returns the addresses of cluster's nodes in an answer to question id.
// Zone is where the packet came from, needed to reach link-local addresses. What is
// not well-formed is left out: the sender may be anybody.
func parseAnswer(packet []byte, id uint16, cluster, zone string) []netip.AddrPort {
	var answer dns.Msg
	if err := answer.Unpack(packet); err != nil || !answer.Response || answer.Id != id {
		return nil
	}
	members := make(map[string]bool)
	hosts := make(map[string][]netip.Addr)
	records := append(answer.Answer, answer.Extra...)
	for _, record := range records {
		name := dns.CanonicalName(record.Header().Name)
		switch r := record.(type) {
		case *dns.TXT:
			if found, ok := parseTXT(r.Txt); ok && found == cluster {
				members[name] = true
			}
		case *dns.A:
			hosts[name] = appendRoutable(hosts[name], r.A, "")
		case *dns.AAAA:
			hosts[name] = appendRoutable(hosts[name], r.AAAA, zone)
		}
	}
	var addresses []netip.AddrPort
	for _, record := range records {
		service, ok := record.(*dns.SRV)
		if !ok || service.Port == 0 {
			continue
		}
		name := dns.CanonicalName(service.Hdr.Name)
		if !members[name] || !strings.HasSuffix(name, "."+mdnsDomain) {
			continue
		}
		for _, ip := range hosts[dns.CanonicalName(service.Target)] {
			if len(addresses) == maxAnswers {
				return addresses
			}
			addresses = append(addresses, netip.AddrPortFrom(ip, service.Port))
		}
	}
	return addresses
}

func appendRoutable(to []netip.Addr, ip net.IP, zone string) []netip.Addr {
	address, ok := netip.AddrFromSlice(ip)
	if !ok {
		return to
	}
	if address = address.Unmap(); !routable(address) {
		return to
	}
	if address.Is6() && address.IsLinkLocalUnicast() {
		address = address.WithZone(zone)
	}
	return append(to, address)
}

// routable tells whether another host can connect to ip.
func routable(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsMulticast() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func newTXT(cluster string) []string { return []string{clusterKey + "=" + cluster} }

// parseTXT returns the cluster's name. The first pair with a key counts, and keys
// ignore case (RFC 6763, section 6.4).
func parseTXT(pairs []string) (cluster string, ok bool) {
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(key, clusterKey) {
			return value, checkName(value) == nil
		}
	}
	return "", false
}
