package e2e

import (
	"strings"
	"testing"
)

// Addresses of no private network (RFC 5737), as those of hosts on the internet.
const publicPrefix = "198.51.100."

// addInterface adds one that is up and leads nowhere.
func (h *host) addInterface(name, address string) {
	h.t.Helper()
	ip(h.t, "-n", h.namespace, "link", "add", name, "type", "veth", "peer", "name", name+"-end")
	ip(h.t, "-n", h.namespace, "addr", "add", address, "dev", name)
	ip(h.t, "-n", h.namespace, "link", "set", name, "up")
	ip(h.t, "-n", h.namespace, "link", "set", name+"-end", "up")
}

// addBridge adds the bridge of Docker, with a container.
func (h *host) addBridge() {
	h.t.Helper()
	ip(h.t, "-n", h.namespace, "link", "add", "docker0", "type", "bridge")
	ip(h.t, "-n", h.namespace, "addr", "add", "172.17.0.1/16", "dev", "docker0")
	ip(h.t, "-n", h.namespace, "link", "set", "docker0", "up")
	ip(h.t, "-n", h.namespace, "link", "add", "container", "type", "veth", "peer", "name", "veth0")
	ip(h.t, "-n", h.namespace, "link", "set", "veth0", "master", "docker0", "up")
	ip(h.t, "-n", h.namespace, "link", "set", "container", "up")
}

func (h *host) addDefaultRoute(via string) {
	h.t.Helper()
	ip(h.t, "-n", h.namespace, "route", "add", "default", "via", via)
}

// member is a node on a host.
type member struct {
	*process
	host *host
}

// become starts a node on a host.
func (h *host) become(name string, env ...string) member {
	h.t.Helper()
	return member{h.start(name, append(env, secret, "TROUPE_STATE_DIR="+h.t.TempDir())...), h}
}

// joinAt has the nodes join at once, and fails the test unless each advertises the address of
// its host.
func joinAt(t *testing.T, members ...member) {
	t.Helper()
	var joins []*answer
	for _, m := range members {
		joins = append(joins, m.begin("join"))
	}
	for i, m := range members {
		if as := decode[joined](t, joins[i].end()); !strings.HasPrefix(as.Address, m.host.ip+":") {
			t.Errorf("node %s on host %s advertises %s", as.Name, m.host.ip, as.Address)
		}
	}
}

// serveEachOther has two nodes serve each other.
func serveEachOther(a, b member) {
	both := []*process{a.process, b.process}
	all(both, "meet", "a", "b")
	all(both, "serve")
	all(both, "see", "2")
	a.do("work", "b")
	b.do("work", "a")
}

func TestABridgeForContainersIsNotAdvertised(t *testing.T) {
	t.Parallel()
	for what, seeds := range map[string][]string{
		"by multicast, with a default route": {"TROUPE_SEEDS=", "default"},
		"by multicast alone":                 {"TROUPE_SEEDS="},
		"by seeds":                           {"TROUPE_SEEDS=" + publicPrefix + "1:7420," + publicPrefix + "2:7420"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			n.prefix = publicPrefix
			var members []member
			for _, name := range []string{"a", "b"} {
				h := n.host()
				h.addBridge()
				if len(seeds) > 1 {
					h.addDefaultRoute(publicPrefix + "254")
				}
				members = append(members, h.become(name, seeds[0]))
			}
			joinAt(t, members...)
			serveEachOther(members[0], members[1])
		})
	}
}

func TestTheNetworkOfTheContactsIsAdvertised(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.prefix = publicPrefix
	seeds := "TROUPE_SEEDS=" + publicPrefix + "1:7420," + publicPrefix + "2:7420"
	var members []member
	for i, name := range []string{"a", "b"} {
		h := n.host()
		h.addInterface("wan", []string{"10.1.0.1/24", "10.1.0.2/24"}[i]) // they cannot reach each other there
		h.addDefaultRoute("10.1.0.254")
		members = append(members, h.become(name, seeds))
	}
	joinAt(t, members...)
	serveEachOther(members[0], members[1])
}

func TestANodeThatIsMetElsewhereSaysWhatToSet(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.prefix = publicPrefix
	h := n.host()
	h.addInterface("wan", "10.1.0.1/24")
	h.addDefaultRoute("10.1.0.254")
	a := h.become("a") // it knows nobody
	b := n.host().become("b", "TROUPE_SEEDS="+h.ip+":7420")
	a.do("join")
	b.do("join")
	t.Log(a.awaitLog("level=WARN", "met_at="+h.ip, "advertised=10.1.0.1:7420", "TROUPE_ADVERTISE="+h.ip+":7420", "peer=b"))
}

func TestAnAddressThatLeadsBackIsNamedAsTheCause(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	ha, hb := n.host(), n.host()
	ha.addBridge()
	hb.addBridge()
	a, b := ha.become("a", "TROUPE_SEEDS="+hb.ip+":7420"), hb.become("b", "TROUPE_ADVERTISE=172.17.0.1:7420")
	if as := get[joined](b.process, "join"); as.Address != "172.17.0.1:7420" {
		t.Errorf("what the user says is replaced by %s", as.Address)
	}
	b.do("serve")
	joinAt(t, a)
	_, err := a.begin("work", "b").outcome()
	if err == nil || !containsAll(err.Error(), []string{"node b is at " + hb.ip, "172.17.0.1:7420", "TROUPE_ADVERTISE"}) || strings.Contains(err.Error(), "secret") {
		t.Errorf("the call ends with %v", err)
	}
	t.Log(a.awaitLog("level=WARN", "leads back here", "peer=b", "advertised=172.17.0.1:7420", "met_at="+hb.ip))
	t.Log(a.awaitLog("a peer was refused", "TROUPE_ADVERTISE"))
}

func TestANodeWhoseAddressChangesSaysSoAndLeaves(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	ha, hb := n.host(), n.host()
	a, b := ha.become("a"), hb.become("b")
	joinAt(t, a, b)
	all([]*process{a.process, b.process}, "meet", "a", "b")
	ip(t, "-n", hb.namespace, "addr", "del", hb.ip+"/24", "dev", "eth0")
	ip(t, "-n", hb.namespace, "addr", "add", "10.77.0.99/24", "dev", "eth0")
	t.Log(b.awaitLog("level=WARN", "lost the address", hb.ip))
	t.Log(b.awaitLog("must leave", hb.ip, "10.77.0.99", "TROUPE_ADVERTISE"))
}
