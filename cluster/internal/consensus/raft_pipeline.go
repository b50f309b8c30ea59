package consensus

import (
	"sync"

	"github.com/hashicorp/raft"
)

// pipeline is raft's own, but ends itself when a request has failed. Raft no longer
// takes answers then, and waits for ever if it is about to send another request: that
// server would get nothing more from this leader, and raft could not be shut down.
type pipeline struct {
	raft.AppendPipeline
	answered chan raft.AppendFuture
	once     sync.Once
	closed   chan struct{}
}

// AppendEntriesPipeline implements [raft.Transport].
func (t *transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	p := &pipeline{AppendPipeline: inner, answered: make(chan raft.AppendFuture), closed: make(chan struct{})}
	t.using.Go(p.forward)
	return p, nil
}

func (p *pipeline) forward() {
	defer func() { _ = p.AppendPipeline.Close() }()
	for {
		var future raft.AppendFuture
		select {
		case future = <-p.AppendPipeline.Consumer():
		case <-p.closed:
			return
		}
		select {
		case p.answered <- future:
		case <-p.closed:
			return
		}
		if future.Error() != nil || !future.Response().Success {
			return
		}
	}
}

// Consumer implements [raft.AppendPipeline].
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answered }

// Close implements [raft.AppendPipeline].
func (p *pipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.AppendPipeline.Close()
}
