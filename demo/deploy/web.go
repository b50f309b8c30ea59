package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/persistence"
)

const (
	readyPath  = "/ready"
	askTimeout = 5 * time.Second // for each request
	maxNote    = 64 << 10
	notes      = "notes/" // before the keys of notes in the store
)

// web answers HTTP by asking the cluster.
type web struct {
	node     *cluster.Node
	greeters actor.Ref[Greeter]
}

func handler(node *cluster.Node) http.Handler {
	w := &web{node: node, greeters: cluster.Service[Greeter](node, "greeter")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+readyPath, w.ready)
	mux.HandleFunc("GET /hello/{name}", within(askTimeout, w.hello))
	mux.HandleFunc("GET /visits/{name}", within(askTimeout, w.visits))
	mux.HandleFunc("GET /notes/{key}", within(askTimeout, w.note))
	mux.HandleFunc("PUT /notes/{key}", within(askTimeout, w.keep))
	return mux
}

// ready is for a readiness probe.
func (w *web) ready(answer http.ResponseWriter, _ *http.Request) {
	if err := w.node.Ready(); err != nil {
		http.Error(answer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(answer, w.node.Name(), "is ready")
}

func (w *web) hello(r *http.Request) (string, error) {
	greeting, err := actor.Ask(r.Context(), w.greeters, Hello{Name: r.PathValue("name")})
	return greeting.Text, err
}

func (w *web) visits(r *http.Request) (string, error) {
	name := r.PathValue("name")
	visits, err := actor.Ask(r.Context(), virtual.Ref[Guest](w.node, "guest", name), Visit{})
	return fmt.Sprintf("%s was here %d times, says %s.", name, visits.Count, visits.Node), err
}

func (w *web) note(r *http.Request) (string, error) {
	record, err := w.node.Store().Get(r.Context(), notes+r.PathValue("key"))
	return string(record.Value), err
}

func (w *web) keep(r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxNote))
	if err != nil {
		return "", err
	}
	revision, err := persistence.Put(r.Context(), w.node.Store(), notes+r.PathValue("key"), body)
	return fmt.Sprintf("kept at revision %d", revision), err
}

// within makes a handler of what answers in time, or with an error.
func within(timeout time.Duration, do func(*http.Request) (string, error)) http.HandlerFunc {
	return func(answer http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		text, err := do(r.WithContext(ctx))
		if err != nil {
			http.Error(answer, err.Error(), statusOf(err))
			return
		}
		fmt.Fprint(answer, text)
	}
}

func statusOf(err error) int {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch code := actor.CodeOf(err); {
	case tooLarge:
		return http.StatusRequestEntityTooLarge
	case code == actor.NotFound:
		return http.StatusNotFound
	case code == actor.InvalidArgument:
		return http.StatusBadRequest
	case code == actor.Unavailable:
		return http.StatusServiceUnavailable
	case code == actor.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
