package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// networks counts the networks of this process, for their names.
var networks atomic.Int32

// network is an Ethernet of its own: a bridge in one namespace, and hosts, each
// in another. Nothing of it can be seen outside.
type network struct {
	t      testing.TB
	name   string
	prefix string // of the addresses of its hosts
	hosts  int
}

// host is a namespace with one interface.
type host struct {
	t         testing.TB
	namespace string
	ip        string
}

func newNetwork(t testing.TB) *network {
	t.Helper()
	requireNamespaces(t)
	n := &network{t: t, prefix: "10.77.0.", name: fmt.Sprintf("troupe-%d-%d", os.Getpid(), networks.Add(1))}
	addNamespace(t, n.name)
	ip(t, "-n", n.name, "link", "add", "bridge", "type", "bridge")
	ip(t, "-n", n.name, "link", "set", "bridge", "up")
	return n
}

// host adds a host to the network.
func (n *network) host() *host {
	n.t.Helper()
	n.hosts++
	h := &host{t: n.t, namespace: fmt.Sprintf("%s-%d", n.name, n.hosts), ip: fmt.Sprintf("%s%d", n.prefix, n.hosts)}
	addNamespace(n.t, h.namespace)
	port := fmt.Sprintf("port%d", n.hosts)
	ip(n.t, "-n", n.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", h.namespace)
	ip(n.t, "-n", n.name, "link", "set", port, "master", "bridge", "up")
	ip(n.t, "-n", h.namespace, "link", "set", "lo", "up")
	ip(n.t, "-n", h.namespace, "addr", "add", h.ip+"/24", "dev", "eth0")
	ip(n.t, "-n", h.namespace, "link", "set", "eth0", "up")
	h.awaitLink()
	return h
}

// awaitLink waits until the system has noticed that both ends of the link are up.
func (h *host) awaitLink() {
	h.t.Helper()
	giveUp := time.After(deadline)
	for {
		out, err := exec.Command("ip", "-n", h.namespace, "-o", "link", "show", "eth0").CombinedOutput()
		if err == nil && strings.Contains(string(out), "LOWER_UP") {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-giveUp:
			h.t.Fatalf("the link of %s does not come up: %v: %s", h.namespace, err, out)
		}
	}
}

// enter is the command that runs another one on the host.
func (h *host) enter() []string { return []string{"ip", "netns", "exec", h.namespace} }

// start runs a child on the host.
func (h *host) start(name string, env ...string) *process {
	h.t.Helper()
	return start(h.t, name, append(env, "TROUPE_NAME="+name), h.enter()...)
}

// drop lets what comes from another host vanish.
func (h *host) drop(from *host) { h.t.Helper(); h.filter("-A", from) }

// heal takes a drop back.
func (h *host) heal(from *host) { h.t.Helper(); h.filter("-D", from) }

func (h *host) filter(action string, from *host) {
	h.t.Helper()
	h.iptables(action, "INPUT", "-s", from.ip, "-j", "DROP")
}

// blockMulticast lets what is sent to all hosts vanish, both ways.
func (h *host) blockMulticast() {
	h.t.Helper()
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		h.iptables("-A", chain, "-d", "224.0.0.0/4", "-j", "DROP")
	}
}

func (h *host) iptables(args ...string) {
	h.t.Helper()
	run(h.t, append(h.enter(), append([]string{"iptables", "-w"}, args...)...)...)
}

func addNamespace(t testing.TB, name string) {
	t.Helper()
	ip(t, "netns", "add", name)
	t.Cleanup(func() { ip(t, "netns", "del", name) })
	// IPv6 would be another way to each other, around the filters.
	run(t, "ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
}

func ip(t testing.TB, args ...string) { t.Helper(); run(t, append([]string{"ip"}, args...)...) }

func run(t testing.TB, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
}

// requireNamespaces skips the test where there can be none; with
// TROUPE_REQUIRE_NETNS=1 that is a failure.
func requireNamespaces(t testing.TB) {
	t.Helper()
	missing := missingForNamespaces()
	switch {
	case missing == "":
	case os.Getenv("TROUPE_REQUIRE_NETNS") == "1":
		t.Fatalf("TROUPE_REQUIRE_NETNS is set, but this cannot be tested here: it needs %s", missing)
	default:
		t.Skipf("SKIPPED, NOT TESTED HERE: it needs %s", missing)
	}
}

var missingForNamespaces = sync.OnceValue(func() string {
	if runtime.GOOS != "linux" {
		return "Linux"
	}
	if os.Geteuid() != 0 {
		return "root"
	}
	for _, program := range []string{"ip", "iptables", "sysctl"} {
		if _, err := exec.LookPath(program); err != nil {
			return "the program " + program
		}
	}
	probe := fmt.Sprintf("troupe-%d-probe", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		return "the right to make network namespaces: " + strings.TrimSpace(string(out))
	}
	_ = exec.Command("ip", "netns", "del", probe).Run() // it is empty
	return ""
})
