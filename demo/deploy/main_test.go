package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// memberlist does not wait for its last probe: it ends within a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// apart keeps the nodes of a test away from those of the user.
func apart(t *testing.T) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TROUPE_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("TROUPE_STATE_DIR", t.TempDir())
}

// begin runs the program, and returns where it answers, and what ends it.
func begin(t *testing.T) (url string, end func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, "127.0.0.1:0", out)
		_ = out.Close()
		ended <- err
	}()
	line, err := bufio.NewReader(printed).ReadString('\n')
	_, url, found := strings.Cut(strings.TrimSpace(line), "see ")
	if err != nil || !found {
		stop()
		t.Fatalf("it printed %q, %v; %v", line, err, <-ended)
	}
	return strings.TrimSuffix(url, readyPath), func() error { stop(); return <-ended }
}

func ask(t *testing.T, client *http.Client, method, url, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

func TestAProgramAloneAnswersAndKeepsItsNotesOverARestart(t *testing.T) {
	apart(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	url, end := begin(t)
	for i, c := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/hello/Ada", "", http.StatusOK, "Hello, Ada, from "},
		{"GET", "/visits/Ada", "", http.StatusOK, "Ada was here 1 times"},
		{"GET", "/visits/Ada", "", http.StatusOK, "Ada was here 2 times"},
		{"GET", "/notes/ada", "", http.StatusNotFound, "not found"},
		{"PUT", "/notes/ada", "buy tea", http.StatusOK, "kept at revision"},
		{"GET", "/notes/ada", "", http.StatusOK, "buy tea"},
		{"PUT", "/notes/ada", strings.Repeat("x", maxNote+1), http.StatusRequestEntityTooLarge, "too large"},
	} {
		if status, answer := ask(t, client, c.method, url+c.path, c.body); status != c.status || !strings.Contains(answer, c.answer) {
			t.Errorf("%d: %s %s: %d %q, want %d %q", i, c.method, c.path, status, answer, c.status, c.answer)
		}
	}
	client.CloseIdleConnections()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	url, end = begin(t)
	awaitReady(t, client, url)
	if status, answer := ask(t, client, "GET", url+"/notes/ada", ""); status != http.StatusOK || answer != "buy tea" {
		t.Errorf("after the restart: %d %q", status, answer)
	}
	client.CloseIdleConnections()
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestANodeWhoseFellowsAreMissingIsNotReady(t *testing.T) {
	apart(t)
	t.Setenv("TROUPE_EXPECT", "3")
	client := &http.Client{Transport: &http.Transport{}}
	url, end := begin(t)
	if status, answer := ask(t, client, "GET", url+readyPath, ""); status != http.StatusServiceUnavailable || !strings.Contains(answer, "1 of the 3 nodes") {
		t.Errorf("%d %q", status, answer)
	}
	client.CloseIdleConnections()
	if err := end(); err != nil {
		t.Error(err)
	}
}

// awaitReady asks as a probe does.
func awaitReady(t *testing.T, client *http.Client, url string) {
	t.Helper()
	giveUp := time.After(time.Minute)
	for {
		status, answer := ask(t, client, "GET", url+readyPath, "")
		if status == http.StatusOK {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-giveUp:
			t.Fatalf("it is not ready: %s", answer)
		}
	}
}
