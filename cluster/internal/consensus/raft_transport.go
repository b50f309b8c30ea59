package consensus

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/cluster/internal/consensus/raftlog"
	"github.com/troupe-go/troupe/cluster/internal/consensus/spool"
)

// maxIdleConns is how many connections to one server are kept for the next request.
const maxIdleConns = 3

// transport is raft's own, which beside that notes who has answered, and looks at what
// comes in: raft panics on what it cannot decode, and does nothing else while it reads
// a snapshot from the network.
type transport struct {
	*raft.NetworkTransport
	dir     string // for snapshots on their way
	answers *answers
	leads   func(term uint64, to raft.ServerID) bool
	checked chan raft.RPC

	closing chan struct{}
	using   sync.WaitGroup
}

func newTransport(s *link.Layer, r *replica, config *raft.Config) *transport {
	timing := r.config.Timing
	t := &transport{dir: r.config.Dir, answers: r.answers, leads: r.leadsTo, checked: make(chan raft.RPC), closing: make(chan struct{})}
	t.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s, MaxPool: maxIdleConns, Logger: config.Logger,
		// It must be enough for a large batch on a slow network: what it interrupts
		// begins from anew.
		Timeout: max(4*timing.Heartbeat, 5*time.Second),
	})
	t.using.Go(t.check)
	return t
}

// AppendEntries implements [raft.Transport].
func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) error {
	send := func() error {
		sent := t.answers.ask()
		err := t.NetworkTransport.AppendEntries(id, target, request, response)
		if err == nil && response.Term == request.Term {
			t.answers.note(id, answer{sent: sent, term: request.Term, last: response.LastLog, at: time.Now()})
		}
		return err
	}
	if request.PrevLogEntry == 0 && len(request.Entries) == 0 { // a heartbeat: raft pauses shortly
		return send()
	}
	return t.reach(id, request.Term, send)
}

// Consumer implements [raft.Transport].
func (t *transport) Consumer() <-chan raft.RPC { return t.checked }

func (t *transport) check() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			if err := checkRequest(rpc.Command); err != nil {
				rpc.Respond(nil, err)
			} else if rpc.Reader != nil {
				t.using.Go(func() { t.receive(rpc) })
			} else {
				t.pass(rpc)
			}
		case <-t.closing:
			return
		}
	}
}

func (t *transport) pass(rpc raft.RPC) bool {
	select {
	case t.checked <- rpc:
		return true
	case <-t.closing:
		return false
	}
}

// receive reads a snapshot before raft gets it.
func (t *transport) receive(rpc raft.RPC) {
	want := rpc.Command.(*raft.InstallSnapshotRequest).Size
	stream, err := spool.New(t.dir)
	if err != nil {
		rpc.Respond(nil, err)
		return
	}
	defer func() { _ = stream.Remove() }()
	n, err := io.Copy(stream, rpc.Reader)
	if err == nil && n != want {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		rpc.Respond(nil, fmt.Errorf("consensus: receiving a snapshot: %w", err))
		return
	}
	done := make(chan raft.RPCResponse, 1)
	if !t.pass(raft.RPC{Command: rpc.Command, Reader: stream.Reader(), RespChan: done}) {
		return
	}
	select {
	case response := <-done:
		rpc.RespChan <- response
	case <-t.closing:
	}
}

// stop ends the transport, after raft.
func (t *transport) stop() {
	close(t.closing)
	_ = t.NetworkTransport.Close()
	t.CloseStreams()
	t.using.Wait()
}

// Close does nothing: raft calls it, and stop is what ends the transport.
func (t *transport) Close() error { return nil }

// checkRequest returns an error for what no server sends.
func checkRequest(command any) error {
	switch q := command.(type) {
	case *raft.AppendEntriesRequest:
		for i, e := range q.Entries {
			if e == nil || e.Index != q.PrevLogEntry+1+uint64(i) || e.Term > q.Term {
				return errors.New("consensus: entries are not in order")
			}
			if err := raftlog.CheckEntry(e); err != nil {
				return err
			}
		}
	case *raft.InstallSnapshotRequest:
		if q.Size < 0 {
			return errors.New("consensus: a snapshot of negative size")
		}
		_, err := raftlog.DecodeConfiguration(q.Configuration)
		return err
	}
	return nil
}
