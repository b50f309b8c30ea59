package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/settings"
)

// manifest is what kubernetes.yaml holds, as far as the program has to do with it.
type manifest struct {
	service  service
	set      statefulSet
	budget   budget
	settings map[string]string // in the environment, by name; empty where the cluster knows them
}

type meta struct {
	Name   string
	Labels map[string]string
}

type service struct {
	Metadata meta
	Spec     struct {
		ClusterIP                string `yaml:"clusterIP"`
		PublishNotReadyAddresses bool   `yaml:"publishNotReadyAddresses"`
		Selector                 map[string]string
		Ports                    []port
	}
}

type port struct {
	Name          string
	Port          int
	ContainerPort int `yaml:"containerPort"`
	Protocol      string
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type statefulSet struct {
	Metadata meta
	Spec     struct {
		ServiceName         string `yaml:"serviceName"`
		Replicas            int
		PodManagementPolicy string                `yaml:"podManagementPolicy"`
		UpdateStrategy      struct{ Type string } `yaml:"updateStrategy"`
		Selector            selector
		Template            struct {
			Metadata meta
			Spec     struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []container
			}
		}
		Claims []struct{ Metadata meta } `yaml:"volumeClaimTemplates"`
	}
}

type container struct {
	Args []string
	Env  []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
			FieldRef     struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
		} `yaml:"valueFrom"`
	}
	Ports          []port
	ReadinessProbe probe  `yaml:"readinessProbe"`
	LivenessProbe  *probe `yaml:"livenessProbe"`
	VolumeMounts   []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	Timeout int                         `yaml:"timeoutSeconds"`
}

type budget struct {
	Spec struct {
		MaxUnavailable int `yaml:"maxUnavailable"`
		Selector       selector
	}
}

// readManifest reads the three objects of kubernetes.yaml, which must be all.
func readManifest(t *testing.T) (m manifest) {
	t.Helper()
	text, err := os.ReadFile("kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]any{"Service": &m.service, "StatefulSet": &m.set, "PodDisruptionBudget": &m.budget}
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var document yaml.Node
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var kind struct{ Kind string }
		err := document.Decode(&kind)
		into, ok := missing[kind.Kind]
		if err != nil || !ok {
			t.Fatalf("%v: there is another %q", err, kind.Kind)
		}
		delete(missing, kind.Kind)
		if err := document.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("there is no %v", missing)
	}
	if n := len(m.set.Spec.Template.Spec.Containers); n != 1 {
		t.Fatalf("a pod has %d containers", n)
	}
	m.settings = make(map[string]string)
	for _, v := range m.container().Env {
		m.settings[v.Name] = v.Value
	}
	return m
}

func (m manifest) container() container { return m.set.Spec.Template.Spec.Containers[0] }

// number returns a setting that is one.
func (m manifest) number(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(m.settings[name])
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return n
}

func TestTheManifestSetsWhatANodeReads(t *testing.T) {
	m := readManifest(t)
	var reference bytes.Buffer
	if err := settings.Reference[cluster.Config](&reference, "TROUPE_"); err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, name := range regexp.MustCompile(`; (TROUPE_[A-Z_]+)\n`).FindAllStringSubmatch(reference.String(), -1) {
		known[name[1]] = true
	}
	for name := range m.settings {
		if !known[name] {
			t.Errorf("a node does not read %s", name)
		}
	}
	for _, v := range m.container().Env {
		switch v.Name {
		case "TROUPE_SECRET":
			if v.Value != "" || v.ValueFrom.SecretKeyRef.Name == "" || v.ValueFrom.SecretKeyRef.Key == "" {
				t.Errorf("the secret is not in a Secret: %+v", v)
			}
			m.settings[v.Name] = "a secret that is in the Secret"
		case "TROUPE_NAME":
			if v.ValueFrom.FieldRef.FieldPath != "metadata.name" {
				t.Errorf("a node is not called like its pod: %+v", v)
			}
			m.settings[v.Name] = m.set.Metadata.Name + "-0"
		default:
			if v.Value == "" {
				t.Errorf("%s has no value", v.Name)
			}
		}
	}
	m.settings["TROUPE_STATE_DIR"] = t.TempDir()
	m.settings["TROUPE_LISTEN"] = "127.0.0.1:0"
	m.settings["TROUPE_DNS"] = ""
	n, err := cluster.Join(t.Context(), cluster.WithEnvironment(func(name string) string { return m.settings[name] }), cluster.WithDiscovery())
	if err != nil {
		t.Fatal("a node refuses what the manifest sets:", err)
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheManifestFoundsOneStoreAndKeepsIt(t *testing.T) {
	m := readManifest(t)
	spec := m.set.Spec
	voters := m.number(t, "TROUPE_VOTERS")
	if expect := m.number(t, "TROUPE_EXPECT"); expect != min(spec.Replicas, voters) || expect <= voters/2 {
		t.Errorf("%d nodes are expected of %d that vote and %d pods", expect, voters, spec.Replicas)
	}
	if spec.PodManagementPolicy != "Parallel" || spec.UpdateStrategy.Type != "RollingUpdate" {
		t.Errorf("pods start %q and are updated %q", spec.PodManagementPolicy, spec.UpdateStrategy.Type)
	}
	mounted := ""
	for _, v := range m.container().VolumeMounts {
		if v.MountPath == m.settings["TROUPE_STATE_DIR"] {
			mounted = v.Name
		}
	}
	if len(spec.Claims) != 1 || mounted == "" || spec.Claims[0].Metadata.Name != mounted {
		t.Errorf("the state folder %s is not on the volume of %+v", m.settings["TROUPE_STATE_DIR"], spec.Claims)
	}
	if m.budget.Spec.MaxUnavailable != 1 {
		t.Errorf("%d pods may be unavailable", m.budget.Spec.MaxUnavailable)
	}
	labels := spec.Template.Metadata.Labels
	for what, chosen := range map[string]map[string]string{
		"the Service": m.service.Spec.Selector, "the StatefulSet": spec.Selector.MatchLabels, "the budget": m.budget.Spec.Selector.MatchLabels,
	} {
		if len(chosen) == 0 {
			t.Errorf("%s chooses no pods", what)
		}
		for key, value := range chosen {
			if labels[key] != value {
				t.Errorf("%s does not choose the pods: %s is %q, not %q", what, key, labels[key], value)
			}
		}
	}
}

func TestTheManifestHasTheNodesFindEachOther(t *testing.T) {
	m := readManifest(t)
	_, listen, err := net.SplitHostPort(m.settings["TROUPE_LISTEN"])
	if err != nil {
		t.Fatal(err)
	}
	host, look, err := net.SplitHostPort(m.settings["TROUPE_DNS"])
	if err != nil || look != listen || host != m.service.Metadata.Name || host != m.set.Spec.ServiceName {
		t.Errorf("nodes listen at %s and look for %s:%s, %v", listen, host, look, err)
	}
	if s := m.service.Spec; s.ClusterIP != "None" || !s.PublishNotReadyAddresses {
		t.Errorf("the Service does not give the addresses of all pods: %+v", s)
	}
	for what, ports := range map[string][]port{"the Service": m.service.Spec.Ports, "the pod": m.container().Ports} {
		open := make(map[string]bool)
		for _, p := range ports {
			if strconv.Itoa(max(p.Port, p.ContainerPort)) == listen {
				open[p.Protocol] = true
			}
		}
		if !open["TCP"] || !open["UDP"] {
			t.Errorf("%s has port %s for %v", what, listen, open)
		}
	}
}

func TestTheManifestProbesAndEndsTheProgram(t *testing.T) {
	m := readManifest(t)
	c := m.container()
	address, err := parse(c.Args)
	if err != nil {
		t.Fatal(err)
	}
	_, answers, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	probed := c.ReadinessProbe.HTTPGet
	for _, p := range c.Ports {
		if p.Name == probed.Port {
			probed.Port = strconv.Itoa(p.ContainerPort)
		}
	}
	if probed.Port != answers || answers == "7420" {
		t.Errorf("the probe asks port %s, the program answers at %s", probed.Port, answers)
	}
	n, err := cluster.Join(t.Context(), cluster.WithEnvironment(func(string) string { return "" }), cluster.WithStateDir(t.TempDir()), cluster.WithExpect(3), cluster.WithDiscovery())
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler(n).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, probed.Path, nil))
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("the probe of a node that is not ready gets %d", answer.Code)
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if timeout := c.ReadinessProbe.Timeout; timeout < 2 { // Ready takes a second
		t.Errorf("the probe waits %d s", timeout)
	}
	if c.LivenessProbe != nil {
		t.Error("there is a liveness probe, which ends nodes of a minority")
	}
	if grace := time.Duration(m.set.Spec.Template.Spec.Grace) * time.Second; grace <= answerTimeout+leaveTimeout {
		t.Errorf("%v are given to end; the program may take %v", grace, answerTimeout+leaveTimeout)
	}
}

// TestTheGuideHasNoManifestOfItsOwn keeps it to the one that is tested.
func TestTheGuideHasNoManifestOfItsOwn(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "deploying.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), "](../../demo/deploy/kubernetes.yaml)") {
		t.Error("the guide does not lead to the manifest")
	}
	for _, word := range []string{"```yaml", "apiVersion:", "kind: ", "emptyDir"} {
		if strings.Contains(string(guide), word) {
			t.Errorf("the guide has %q", word)
		}
	}
}
