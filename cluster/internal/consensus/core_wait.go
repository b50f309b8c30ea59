package consensus

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// waitingReport is how often a node says what it waits for.
const waitingReport = 5 * time.Second

// presence remembers when nodes were last members.
type presence struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// note remembers who is a member now.
func (p *presence) note(members []Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[string]time.Time{}
	}
	for _, m := range members {
		p.seen[m.Name] = time.Now()
	}
}

// since says since when a node has been missing.
func (p *presence) since(node string, born time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.seen[node]; ok {
		return "since " + at.UTC().Format(time.RFC3339)
	}
	return "not seen since this node started at " + born.UTC().Format(time.RFC3339)
}

// noLeader is the error of what needs a leader while there is none.
func (c *Core) noLeader() error {
	core, err := c.current()
	if err != nil {
		return err
	}
	return notYet("no leader: %s", c.waitingFor(core))
}

// waitingFor says why there is no leader, and what to do about it.
func (c *Core) waitingFor(core string) string {
	v := c.members.look(c)
	c.presence.note(v.members)
	servers, answered := c.search.heard(), c.search.answeredSince(time.Now().Add(-c.config.Timing.lately()))
	id := c.identity()
	if r := c.local(); r != nil {
		answered[c.config.Node] = true
		if index, term := r.lastEntry(); len(servers) == 0 || !(position{term, index}).before(c.search.position()) {
			servers = serversOf(r)
		}
	}
	var voters, reached, unreached, missing []string
	for _, s := range servers {
		node := s.GetNode()
		if !s.GetVoter() {
			continue
		}
		voters = append(voters, node)
		switch {
		case answered[node]:
			reached = append(reached, node)
		case v.contains(node):
			unreached = append(unreached, node)
		default:
			missing = append(missing, fmt.Sprintf("%s (%s)", node, c.presence.since(node, c.born)))
		}
	}
	switch {
	case len(voters) == 0 && len(answered) == 0:
		return fmt.Sprintf("no node with a replica of core %s can be reached; start one, or wait until it is back", core)
	case len(voters) == 0:
		return fmt.Sprintf("core %s is being founded", core)
	}
	slices.Sort(voters)
	text := fmt.Sprintf("%d of %d voters (%s) can be reached", len(reached), len(voters), strings.Join(voters, ", "))
	if len(reached) > 0 {
		text += " (" + strings.Join(reached, ", ") + ")"
	}
	if len(reached) > len(voters)/2 {
		return text + ", they have not elected one yet"
	}
	text += ": a minority"
	if len(unreached) > 0 {
		text += "; members that do not answer: " + strings.Join(unreached, ", ")
	}
	if len(missing) > 0 {
		text += "; missing: " + strings.Join(missing, ", ") + "; start them with the disks they had, or, if they are lost for good, have the store forget them (Store.Forget)"
	}
	if id.LeftAt != "" && !slices.ContainsFunc(servers, func(s *pb.Server) bool { return s.GetVoter() && s.GetId() == id.Server }) {
		text += fmt.Sprintf("; this node left at %s, and gave up its vote: %s went on, and what is newest is with the one of them that left last", id.LeftAt, id.LeftTo)
	}
	return text
}

// report says what this node waits for, as long as it does: now and again, until ctx ends.
func (c *Core) report(ctx context.Context, r *replica) {
	began := time.Now()
	for pause(ctx, waitingReport) {
		if what, took := r.stuck(); took > waitingReport {
			c.log.Warn("consensus: the disk does not answer", "waiting", what, "for", took.Round(time.Second))
		}
		if leader, _ := r.Leader(); leader != "" {
			began = time.Now()
			continue
		}
		core, err := c.current()
		if err != nil || core == "" {
			continue
		}
		c.log.Warn("consensus: the replicated store waits for a leader: "+c.waitingFor(core), "for", time.Since(began).Round(time.Second))
	}
}

// Occupation says what keeps this node from closing.
func (c *Core) Occupation() string {
	c.mu.Lock()
	r := c.closing
	if r == nil {
		r = c.replica
	}
	c.mu.Unlock()
	if r != nil {
		if what, took := r.stuck(); took > 0 {
			return fmt.Sprintf("%s for %v", what, took.Round(time.Millisecond))
		}
	}
	if c.config.Dir != "" {
		return "its files in " + c.config.Dir + " are being closed"
	}
	return "what it was asked for is being finished"
}

// contains reports whether a node is a member.
func (v *view) contains(node string) bool {
	return slices.ContainsFunc(v.members, func(m Member) bool { return m.Name == node })
}
