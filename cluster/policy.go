package cluster

import "sync/atomic"

// policy is how an instance of a service is chosen.
type policy struct {
	balancer Balancer // nil if that is left open
	patient  bool
}

// policies are those that the settings of a node give to services, by their names.
type policies struct {
	byService atomic.Pointer[map[string]configured]
}

type configured struct {
	policy
	config ServiceConfig
}

// set takes over what the settings say. A Balancer stays where its service has the same
// one as before, so that it goes on where it was. One goroutine at a time may call it.
func (p *policies) set(services map[string]ServiceConfig) {
	next := make(map[string]configured, len(services))
	for name, c := range services {
		now := configured{policy: policy{patient: c.Wait}, config: c}
		if was, ok := p.of(name); ok && was.config.Balancer == c.Balancer {
			now.balancer = was.balancer
		} else {
			now.balancer = c.balancer()
		}
		next[name] = now
	}
	p.byService.Store(&next)
}

func (p *policies) of(service string) (configured, bool) {
	all := p.byService.Load()
	if all == nil {
		return configured{}, false
	}
	c, ok := (*all)[service]
	return c, ok
}

// balancer returns nil for none.
func (c ServiceConfig) balancer() Balancer {
	switch c.Balancer {
	case "random":
		return Random{}
	case "round_robin":
		return new(RoundRobin)
	case "consistent_hash":
		return ConsistentHash{}
	}
	return nil
}

// policyNow returns what the options of the Ref say, then the settings of the node, then
// the defaults.
func (s service) policyNow() policy {
	var p policy
	if s.policy != nil {
		p = *s.policy
	}
	if set, ok := s.node.policies.of(s.name); ok {
		p.patient = p.patient || set.patient
		if p.balancer == nil {
			p.balancer = set.balancer
		}
	}
	if p.balancer == nil {
		p.balancer = Random{}
	}
	return p
}
