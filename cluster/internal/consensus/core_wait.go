package consensus

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// stallReport is how often a node looks whether its disk answers, and says that it does not.
const stallReport = 5 * time.Second

// wants are those who need a leader, as the log speaks of them.
type wants struct {
	mu     sync.Mutex
	count  int
	notice func()      // ends what the log says; nil if it says nothing
	idle   *time.Timer // since nobody wants one
	closed bool
}

// wanted is how long a leader is still waited for, as far as the log is concerned, when
// all have given up: most try again within a second.
const wanted = 1500 * time.Millisecond

// want has the log say what this node waits for, if it takes long, until unwant is called
// as often, or there is a leader.
func (c *Core) want() {
	w := &c.wants
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	if w.idle != nil {
		w.idle.Stop()
		w.idle = nil
	}
	if w.notice == nil && !w.closed {
		w.notice = c.waits.Begin(c.log, waitLevel{c}, "consensus: the replicated store waits for a leader", c.Waiting)
	}
}

func (c *Core) unwant() {
	w := &c.wants
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count--; w.count == 0 && w.notice != nil {
		w.idle = time.AfterFunc(wanted, w.rest)
	}
}

// rest ends what the log says if nobody wants a leader now.
func (w *wants) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		w.end()
	}
}

// satisfied ends what the log says: there is a leader.
func (w *wants) satisfied() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end()
}

// close lets the log say nothing more.
func (w *wants) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.end()
}

// end is called with the lock.
func (w *wants) end() {
	if w.idle != nil {
		w.idle.Stop()
		w.idle = nil
	}
	if w.notice != nil {
		w.notice()
		w.notice = nil
	}
}

// waitLevel is the level of what the log says of a leader that is waited for.
type waitLevel struct{ core *Core }

// Level is Warn, but while a core is being founded for the first time, as it should.
func (l waitLevel) Level() slog.Level {
	c := l.core
	if core, err := c.current(); core != "" || err != nil || len(c.members.look(c).members) < c.config.Expect {
		return slog.LevelWarn
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.founding == nil || c.founding.last != nil {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// Waiting says why there is no leader, or no core yet, and what to do about it.
func (c *Core) Waiting() string {
	core, err := c.current()
	switch {
	case err != nil:
		return err.Error()
	case core == "":
		return c.unfounded()
	}
	return c.waitingFor(core)
}

// unfounded says why there is no core yet.
func (c *Core) unfounded() string {
	v := c.members.look(c)
	if len(v.members) < c.config.Expect {
		return c.expecting(v)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.founding != nil && c.founding.last != nil {
		return c.founding.last.Error()
	}
	return "it is being founded"
}

// expecting says which nodes are there of those that found a core.
func (c *Core) expecting(v *view) string {
	var names []string
	for _, m := range v.members {
		names = append(names, m.Name)
	}
	return fmt.Sprintf("%d of the %d nodes are there that found the replicated store (%s): start the others, or lower cluster.WithExpect (TROUPE_EXPECT)", len(names), c.config.Expect, strings.Join(names, ", "))
}

// late is the error for what has waited for a leader until ctx ended.
func (c *Core) late(ctx context.Context) error {
	return fmt.Errorf("consensus: the replicated store waits for a leader: %s: %w", c.Waiting(), ctx.Err())
}

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
		if leader := c.Leader(); leader != "" {
			return text + ", and " + leader + ", which leads as far as this node knows, has not answered yet"
		}
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

// report says what the replica of this node waits for, as long as it does, until ctx ends.
func (c *Core) report(ctx context.Context, r *replica) {
	look := time.NewTicker(stallReport)
	defer look.Stop()
	alone := false
	for ctx.Err() == nil {
		changed := r.LeaderChanged()
		leader, _ := r.Leader()
		switch {
		case leader == "" && !alone:
			alone = true
			c.want()
		case leader != "" && alone:
			alone = false
			c.unwant()
			c.wants.satisfied()
		}
		select {
		case <-changed:
		case <-look.C:
			if what, took := r.stuck(); took > stallReport {
				c.log.Warn("consensus: the disk does not answer", "waiting", what, "for", took.Round(time.Second))
			}
		case <-ctx.Done():
		}
	}
	if alone {
		c.unwant()
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
