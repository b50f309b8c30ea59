//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// networks counts the networks of this process, for their names.
var networks atomic.Int32

// network is an Ethernet of its own: a bridge in one namespace, and hosts, each in
// another; or, where there can be no namespaces, the loopback interface.
type network struct {
	name  string // of the namespace of the bridge; empty on loopback
	hosts []*host
}

// host is where a node runs.
type host struct {
	namespace string // empty on loopback
	address   string // ip:port
}

func (h *host) ip() string { ip, _, _ := strings.Cut(h.address, ":"); return ip }

// newNetwork makes a network with so many hosts. close removes it.
func newNetwork(ctx context.Context, hosts int) (*network, error) {
	n := &network{}
	if missingForNamespaces() != "" {
		return n, n.onLoopback(ctx, hosts)
	}
	n.name = fmt.Sprintf("figures-%d-%d", os.Getpid(), networks.Add(1))
	err := n.addNamespace(ctx, n.name)
	err = errors.Join(err, n.ip(ctx, "-n", n.name, "link", "add", "bridge", "type", "bridge"))
	err = errors.Join(err, n.ip(ctx, "-n", n.name, "link", "set", "bridge", "up"))
	for i := range hosts {
		err = errors.Join(err, n.addHost(ctx, i+1))
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *network) onLoopback(ctx context.Context, hosts int) error {
	for range hosts {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		n.hosts = append(n.hosts, &host{address: l.Addr().String()})
		defer l.Close() // not before all ports are known, so that they differ
	}
	return nil
}

func (n *network) addHost(ctx context.Context, number int) error {
	h := &host{namespace: fmt.Sprintf("%s-%d", n.name, number), address: fmt.Sprintf("10.78.0.%d:7420", number)}
	n.hosts = append(n.hosts, h)
	if err := n.addNamespace(ctx, h.namespace); err != nil {
		return err
	}
	port := fmt.Sprint("port", number)
	for _, args := range [][]string{
		{"-n", n.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", h.namespace},
		{"-n", n.name, "link", "set", port, "master", "bridge", "up"},
		{"-n", h.namespace, "link", "set", "lo", "up"},
		{"-n", h.namespace, "addr", "add", h.ip() + "/24", "dev", "eth0"},
		{"-n", h.namespace, "link", "set", "eth0", "up"},
	} {
		if err := n.ip(ctx, args...); err != nil {
			return err
		}
	}
	for { // until both ends are up
		out, err := output(ctx, "", "ip", "-n", h.namespace, "-o", "link", "show", "eth0")
		if err != nil || strings.Contains(out, "LOWER_UP") {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func (n *network) addNamespace(ctx context.Context, name string) error {
	if err := n.ip(ctx, "netns", "add", name); err != nil {
		return err
	}
	// IPv6 would be another way to each other, around the filters.
	_, err := output(ctx, "", "ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	return err
}

func (n *network) ip(ctx context.Context, args ...string) error {
	_, err := output(ctx, "", append([]string{"ip"}, args...)...)
	return err
}

// close removes the network. Its processes have ended.
func (n *network) close() (err error) {
	for _, h := range n.hosts {
		if h.namespace != "" {
			err = errors.Join(err, n.ip(context.Background(), "netns", "del", h.namespace))
		}
	}
	if n.name != "" {
		err = errors.Join(err, n.ip(context.Background(), "netns", "del", n.name))
	}
	return err
}

// canHarm is whether cut, heal and lose work.
func (n *network) canHarm() bool { return n.name != "" }

// cut loses everything between the hosts of both sides. heal takes all cuts back.
func (n *network) cut(ctx context.Context, one, other []int) (err error) {
	for _, i := range one {
		for _, j := range other {
			err = errors.Join(err,
				n.hosts[i].filter(ctx, "-A", "INPUT", "-s", n.hosts[j].ip(), "-j", "DROP"),
				n.hosts[j].filter(ctx, "-A", "INPUT", "-s", n.hosts[i].ip(), "-j", "DROP"))
		}
	}
	return err
}

func (n *network) heal(ctx context.Context) (err error) {
	for _, h := range n.hosts {
		err = errors.Join(err, h.filter(ctx, "-F", "INPUT"))
	}
	return err
}

// lose loses that share of the packets that each host gets.
func (n *network) lose(ctx context.Context, share float64) (err error) {
	for _, h := range n.hosts {
		err = errors.Join(err, h.filter(ctx, "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(share), "-j", "DROP"))
	}
	return err
}

func (h *host) filter(ctx context.Context, args ...string) error {
	_, err := output(ctx, "", append([]string{"ip", "netns", "exec", h.namespace, "iptables", "-w"}, args...)...)
	return err
}

// missingForNamespaces says what is missing for networks of their own; nothing, if empty.
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
	probe := fmt.Sprintf("figures-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		return "the right to make network namespaces: " + strings.TrimSpace(string(out))
	}
	_ = exec.Command("ip", "netns", "del", probe).Run() // it is empty
	return ""
})
