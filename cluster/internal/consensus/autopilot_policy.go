package consensus

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// CalculatePromotionsAndDemotions implements [autopilot.Promoter]. Servers that keep up
// become voters until there is the wanted number, or the greatest odd one below that,
// of voters that are not gone. Voters beyond the wanted number lose their vote.
func (p *pilot) CalculatePromotionsAndDemotions(config *autopilot.Config, state *autopilot.State) autopilot.RaftChanges {
	stable := state.ServerStabilizationTime(config)
	return changeVoters(p.replica.config.Voters, state, func(s *autopilot.ServerState) bool {
		return s.Health.IsStable(time.Now(), stable)
	})
}

func changeVoters(wanted int, state *autopilot.State, stable func(*autopilot.ServerState) bool) autopilot.RaftChanges {
	var voters, standbys []*autopilot.ServerState
	for _, s := range state.Servers {
		switch {
		case s.Server.NodeStatus != autopilot.NodeAlive:
		case s.HasVotingRights():
			voters = append(voters, s)
		case stable(s):
			standbys = append(standbys, s)
		}
	}
	target := min(wanted, len(voters)+len(standbys))
	target -= 1 - target%2 // odd
	var changes autopilot.RaftChanges
	slices.SortFunc(standbys, func(a, b *autopilot.ServerState) int { return cmp.Compare(a.Server.ID, b.Server.ID) })
	for _, s := range standbys[:max(0, min(target-len(voters), len(standbys)))] {
		changes.Promotions = append(changes.Promotions, s.Server.ID)
	}
	if len(voters) > wanted {
		slices.SortFunc(voters, func(a, b *autopilot.ServerState) int {
			return cmp.Or(compareBool(a.Server.IsLeader, b.Server.IsLeader), compareBool(a.Health.Healthy, b.Health.Healthy), cmp.Compare(a.Server.ID, b.Server.ID))
		})
		for _, s := range voters[wanted:] {
			changes.Demotions = append(changes.Demotions, s.Server.ID)
		}
	}
	return changes
}

// compareBool puts true first.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// FilterFailedServerRemovals implements [autopilot.Promoter]. A voter that is gone is
// removed when another one has taken its place: until then its vote, should it come
// back, is worth more than a smaller majority.
func (p *pilot) FilterFailedServerRemovals(_ *autopilot.Config, state *autopilot.State, failed *autopilot.FailedServers) *autopilot.FailedServers {
	surplus := max(0, len(state.Voters)-p.replica.config.Voters)
	return &autopilot.FailedServers{
		FailedNonVoters: failed.FailedNonVoters,
		FailedVoters:    failed.FailedVoters[:min(surplus, len(failed.FailedVoters))],
	}
}

// GetServerExt implements [autopilot.Promoter].
func (p *pilot) GetServerExt(*autopilot.Config, *autopilot.ServerState) any { return nil }

// GetStateExt implements [autopilot.Promoter].
func (p *pilot) GetStateExt(*autopilot.Config, *autopilot.State) any { return nil }

// GetNodeTypes implements [autopilot.Promoter].
func (p *pilot) GetNodeTypes(_ *autopilot.Config, state *autopilot.State) map[raft.ServerID]autopilot.NodeType {
	types := make(map[raft.ServerID]autopilot.NodeType, len(state.Servers))
	for id := range state.Servers {
		types[id] = autopilot.NodeVoter
	}
	return types
}

// IsPotentialVoter implements [autopilot.Promoter].
func (p *pilot) IsPotentialVoter(autopilot.NodeType) bool { return true }
