package consensus

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
)

// maxTrailing is how many entries a server may lack and still count as keeping up.
const maxTrailing = 1000

// pilot is what autopilot has to know of a core while this replica leads it. It
// implements [autopilot.ApplicationIntegration] and, in autopilot_policy.go,
// [autopilot.Promoter].
type pilot struct {
	replica *replica
	tenure  *tenure
	ctx     context.Context // ends with the tenure
	began   time.Time

	mu      sync.Mutex
	missing map[raft.ServerID]time.Time // since when a server is not announced
}

// pilot keeps the right number of voters until ctx ends. It is run by the leader.
func (r *replica) pilot(ctx context.Context, t *tenure) {
	p := &pilot{replica: r, tenure: t, ctx: ctx, began: time.Now(), missing: map[raft.ServerID]time.Time{}}
	interval := r.config.Timing.Heartbeat
	a := autopilot.New(pilotedRaft{r.raft, r}, p,
		autopilot.WithLogger(r.logger), autopilot.WithPromoter(p),
		autopilot.WithUpdateInterval(interval), autopilot.WithReconcileInterval(interval))
	a.Start(ctx)
	for pause(ctx, interval) {
		p.recruit()
	}
	<-a.Stop()
	r.healthy.set(nil)
}

// AutopilotConfig implements [autopilot.ApplicationIntegration].
func (p *pilot) AutopilotConfig() *autopilot.Config {
	return &autopilot.Config{
		CleanupDeadServers:      true,
		LastContactThreshold:    p.replica.config.Timing.Heartbeat,
		MaxTrailingLogs:         maxTrailing,
		MinQuorum:               1,
		ServerStabilizationTime: p.replica.config.Timing.Stabilize,
	}
}

// NotifyState implements [autopilot.ApplicationIntegration].
func (p *pilot) NotifyState(state *autopilot.State) {
	var healthy []string
	for id, s := range state.Servers {
		if s.Health.Healthy {
			healthy = append(healthy, string(id))
		}
	}
	p.replica.healthy.set(healthy)
}

// FetchServerStats implements [autopilot.ApplicationIntegration]: what a server has is
// known from its answers to heartbeats.
func (p *pilot) FetchServerStats(_ context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	term, _ := strconv.ParseUint(p.replica.raft.Stats()["last_log_term"], 10, 64)
	all := make(map[raft.ServerID]*autopilot.ServerStats, len(servers))
	for id, s := range servers {
		if s.IsLeader {
			all[id] = &autopilot.ServerStats{LastTerm: term, LastIndex: p.replica.raft.LastIndex()}
			continue
		}
		a, ok := p.replica.answers.of(id, p.tenure.term)
		stats := &autopilot.ServerStats{LastContact: time.Since(p.began), LastIndex: a.last}
		if ok {
			stats.LastContact = time.Since(a.at)
		}
		if ok && a.last >= p.tenure.first {
			stats.LastTerm = term
		}
		all[id] = stats
	}
	return all
}

// KnownServers implements [autopilot.ApplicationIntegration]: all that are configured.
func (p *pilot) KnownServers() map[raft.ServerID]*autopilot.Server {
	members := map[string]Member{}
	for _, m := range p.replica.config.Members() {
		members[m.Name] = m
	}
	known := map[raft.ServerID]*autopilot.Server{}
	for _, s := range p.replica.raft.GetConfiguration().Configuration().Servers {
		m, there := members[link.NodeOf(string(s.ID))]
		known[s.ID] = &autopilot.Server{
			ID: s.ID, Name: link.NodeOf(string(s.ID)), Address: s.Address, RaftVersion: raft.ProtocolVersionMax,
			IsLeader:   s.ID == raft.ServerID(p.replica.config.Server),
			NodeStatus: p.status(s.ID, m, there),
		}
	}
	return known
}

// status says whether a server is to be replaced: that is if its node has come up without
// it, or does not announce it for long, or it does not answer for long, or it has left
// and another one that leaves waits for that.
func (p *pilot) status(id raft.ServerID, m Member, there bool) autopilot.NodeStatus {
	timing := p.replica.config.Timing
	if id == raft.ServerID(p.replica.config.Server) {
		return autopilot.NodeAlive
	}
	silent := time.Since(p.began)
	if a, ok := p.replica.answers.of(id, p.tenure.term); ok {
		silent = time.Since(a.at)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if there && m.Core.Server == string(id) {
		delete(p.missing, id)
	} else if p.missing[id].IsZero() {
		p.missing[id] = time.Now()
	}
	missing := time.Duration(0)
	if since, ok := p.missing[id]; ok {
		missing = time.Since(since)
	}
	gone, departed := p.replica.departed.of(string(id), []Member{m})
	switch {
	case silent > timing.Replace, missing > timing.Replace,
		// What a new process has is known a moment after the process is.
		there && min(missing, silent) > 2*timing.Heartbeat,
		departed && gone.replace && silent > timing.Heartbeat:
		return autopilot.NodeFailed
	}
	return autopilot.NodeAlive
}

// RemoveFailedServer implements [autopilot.ApplicationIntegration].
func (p *pilot) RemoveFailedServer(s *autopilot.Server) {
	p.replica.config.Logger.Info("consensus: removing a server that is gone", "server", s.ID)
	if err := p.replica.remove(p.ctx, s.ID); err != nil {
		p.replica.config.Logger.Warn("consensus: removing a server that is gone", "server", s.ID, "error", err)
	}
}
