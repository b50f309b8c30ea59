//go:build unix

package e2e

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// rollsVar, in the environment, says how often the deployed cluster is updated: 10 takes a
// minute. From strictRolls on nothing at all may be refused, also not within a second: the
// machine must not be so busy that a leader misses its heartbeats. With fewer, what was
// refused may be asked for again.
const (
	rollsVar    = "TROUPE_ROLLS"
	strictRolls = 10
)

// rolls returns 0 if nobody has asked for them.
func rolls(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(rollsVar), "0"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// manifest is what of demo/deploy/kubernetes.yaml makes the processes.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Replicas int
		Template struct {
			Spec struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []struct {
					Args []string
					Env  []struct {
						Name, Value string
						ValueFrom   map[string]any `yaml:"valueFrom"`
					}
					ReadinessProbe struct {
						HTTPGet struct{ Path string } `yaml:"httpGet"`
					} `yaml:"readinessProbe"`
				}
			}
		}
	}
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "demo", "deploy", "kubernetes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m manifest
		if err := documents.Decode(&m); errors.Is(err, io.EOF) {
			t.Fatal("the manifest has no StatefulSet")
		} else if err != nil {
			t.Fatal(err)
		}
		if m.Kind == "StatefulSet" {
			return m
		}
	}
}

// deployment is a StatefulSet: each pod is a process in a namespace, with a folder for its
// volume.
type deployment struct {
	t       *testing.T
	program string
	volumes string
	manifest
	hosts   []*host
	pods    []*process
	ingress *process // asks them from outside
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	network := newNetwork(t)
	dir := t.TempDir()
	d := &deployment{t: t, program: filepath.Join(dir, "deploy"), volumes: dir, manifest: readManifest(t)}
	began := time.Now()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", d.program, "github.com/troupe-go/troupe/demo/deploy")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("built in %v", time.Since(began).Round(time.Millisecond))
	for range d.Spec.Replicas {
		h := network.host()
		h.blockMulticast() // as most networks of containers do
		d.hosts = append(d.hosts, h)
	}
	d.pods = make([]*process, d.Spec.Replicas)
	d.ingress = network.host().start("ingress")
	return d
}

// start starts a pod as the manifest says. There is no DNS: the addresses that it would
// give are the seeds. The folder of the volume is not mounted, but named.
func (d *deployment) start(i int) {
	d.t.Helper()
	c := d.Spec.Template.Spec.Containers[0]
	name := fmt.Sprint(d.Metadata.Name, "-", i)
	var env []string
	for _, v := range c.Env {
		value := v.Value
		switch v.Name {
		case "TROUPE_NAME":
			value = name
		case "TROUPE_SECRET":
			env = append(env, secret)
			continue
		case "TROUPE_STATE_DIR":
			value = filepath.Join(d.volumes, name)
		case "TROUPE_DNS":
			_, port, err := net.SplitHostPort(value)
			if err != nil {
				d.t.Fatal(err)
			}
			var seeds []string
			for _, h := range d.hosts {
				seeds = append(seeds, net.JoinHostPort(h.ip, port))
			}
			v.Name, value = "TROUPE_SEEDS", strings.Join(seeds, ",")
		}
		if value == "" {
			d.t.Fatalf("the test does not know what %s is", v.Name)
		}
		env = append(env, v.Name+"="+value)
	}
	d.pods[i] = startCommand(d.t, name, env, slices.Concat(d.hosts[i].enter(), []string{d.program}, c.Args)...)
}

// scaleUp starts all pods, and waits until they are ready.
func (d *deployment) scaleUp() {
	d.t.Helper()
	for i := range d.pods {
		d.start(i)
	}
	for i := range d.pods {
		d.awaitReady(i)
	}
}

// end tells a pod to end.
func (d *deployment) end(i int) { d.pods[i].signal(syscall.SIGTERM) }

// awaitEnd waits until the pod has ended well, for the grace time.
func (d *deployment) awaitEnd(i int) {
	d.t.Helper()
	p := d.pods[i]
	select {
	case <-p.exited:
		if !p.cmd.ProcessState.Success() {
			d.t.Errorf("%s has ended with %v", p.name, p.cmd.ProcessState)
		}
	case <-time.After(time.Duration(d.Spec.Template.Spec.Grace) * time.Second):
		d.t.Errorf("%s would be killed", p.name)
		p.kill()
	}
}

// awaitReady waits until the pod's probe succeeds.
func (d *deployment) awaitReady(i int) {
	d.t.Helper()
	took := get[time.Duration](d.ingress, "probe", "http://"+d.address(i)+d.Spec.Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Path)
	d.t.Logf("%s is ready after %v", d.pods[i].name, took.Round(time.Millisecond))
}

// address is where the program of a pod answers HTTP.
func (d *deployment) address(i int) string {
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.Spec.Template.Spec.Containers[0].Args[0], "-http="))
	if err != nil {
		d.t.Fatal(err)
	}
	return net.JoinHostPort(d.hosts[i].ip, port)
}

// open lets visitors in, and close waits until they have gone.
func (d *deployment) open() {
	d.t.Helper()
	command := []string{"visit"}
	for i := range d.pods {
		command = append(command, d.address(i))
	}
	d.ingress.do(command...)
	d.ingress.do("visited", "20")
}

func (d *deployment) close() {
	d.t.Helper()
	d.ingress.do("visited", "20")
	r := get[visits](d.ingress, "go")
	d.t.Logf("done %v, the slowest in %v; refused at first %v", r.Done, r.Slowest.Round(time.Millisecond), r.Refused)
	if len(r.Failed) > 0 || r.Lost > 0 || len(r.Refused) > 0 && rolls(d.t) >= strictRolls {
		d.t.Errorf("%v failed, %d were lost, %v refused:\n%s", r.Failed, r.Lost, r.Refused, strings.Join(r.Errors, "\n"))
	}
}

// TestTheDeployedClusterIsUpdatedAndScaledToZeroAndBack runs what the deployment guide
// shows, from its manifest, under load: no acknowledged note is lost, and nothing fails
// that may be asked for twice, while a majority is up.
func TestTheDeployedClusterIsUpdatedAndScaledToZeroAndBack(t *testing.T) {
	t.Parallel()
	rolls := rolls(t)
	if rolls == 0 {
		t.Skipf("it takes a quarter of a minute and more: set %s", rollsVar)
	}
	d := deploy(t)
	d.scaleUp()
	for i := range d.pods { // the store is founded at its first use
		d.ingress.do("probe", "http://"+d.address(i)+"/visits/first")
	}
	d.open()
	for range rolls {
		for i := len(d.pods) - 1; i >= 0; i-- { // as a StatefulSet does
			began := time.Now()
			d.end(i)
			d.awaitEnd(i)
			d.t.Logf("%s has ended after %v", d.pods[i].name, time.Since(began).Round(time.Millisecond))
			d.start(i)
			d.awaitReady(i)
		}
	}
	d.close()
	d.open()
	began := time.Now()
	for i := range d.pods { // while they are asked, until nobody is there
		d.end(i)
	}
	for i := range d.pods {
		d.awaitEnd(i)
	}
	d.ingress.do("flee")
	d.t.Logf("all have ended after %v", time.Since(began).Round(time.Millisecond))
	d.scaleUp()
	d.open()
	d.close()
}
