package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
)

const serviceScheme = "service:///"

// Service returns a Ref to all instances of the service with that name, on this
// node and others. Each message goes to one of them, which a [Balancer] chooses
// when it is sent: instances may come and go, and there need be none yet.
//
// Where a message surely was not handled, it is tried again on another instance,
// within the sender's deadline; a request with the mark of actor.Idempotent also
// where its node was lost on the way, or has not reacted for a second. An instance that
// failed is left alone for a while, and one without a handler for a type of messages gets
// none of these while there are others. An error of all instances comes back at once.
//
// What the options leave open, the settings of the node may say; see [ServiceConfig].
func Service[P any](n *Node, name string, options ...ServiceOption) actor.Ref[P] {
	s := service{node: n, name: name}
	if len(options) > 0 {
		s.policy = new(policy)
		for _, o := range options {
			o.applyService(s.policy)
		}
	}
	return actor.NewRef[P](s)
}

// ServiceOption changes how one Ref of a service chooses. It does not travel with
// the Ref to other nodes.
type ServiceOption interface{ applyService(*policy) }

type serviceOption func(*policy)

func (f serviceOption) applyService(p *policy) { f(p) }

// WithBalancer sets how an instance is chosen. The default is [Random].
func WithBalancer(b Balancer) ServiceOption {
	return serviceOption(func(p *policy) { p.balancer = b })
}

// WaitForInstance lets Ask wait, within its deadline, for an instance that takes the
// request, while there is none or none can be reached, where it would fail: for a program
// that starts beside the service that it calls, or outlives it. Tell does not wait.
func WaitForInstance() ServiceOption {
	return serviceOption(func(p *policy) { p.patient = true })
}

// service stands behind a Ref that Service returned. It is comparable: two Refs
// to one service are equal, unless one has options.
type service struct {
	node   *Node
	name   string
	policy *policy // nil without options
}

// String returns the path of the Ref.
func (s service) String() string { return serviceScheme + s.name }

// Watch implements actor.Recipient: a service has no end.
func (s service) Watch(func(error)) (func(), error) {
	return nil, actor.Errorf(actor.Unimplemented, "%s is a service, and cannot be watched: watch one of its actors", s)
}

// Tell implements actor.Recipient.
func (s service) Tell(e actor.Envelope) error {
	ctx := e.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	// What is told waits for room only, and only with a context: each instance is tried at
	// most once.
	return s.try(ctx, e, false, actor.Recipient.Tell)
}

// Ask implements actor.Recipient.
func (s service) Ask(e actor.Envelope) error {
	return s.try(e.Context(), e, true, askInstance)
}

func askInstance(to actor.Recipient, e actor.Envelope) error {
	if far, ok := to.(remote); ok {
		return far.ask(e, actor.IsIdempotent(e.Message()))
	}
	return to.Ask(e)
}

// await waits until there is an instance.
func (s service) await(ctx context.Context) error {
	if s.pool() != nil {
		return nil
	}
	what := fmt.Sprintf("calls of the service %q wait for an instance", s.name)
	if err := s.node.awaitThat(ctx, what, func() bool { return s.pool() != nil }); err != nil {
		return &actor.Error{
			Code: actor.CodeOf(err), NotRun: true,
			Message: fmt.Sprintf("no instance of service %q appeared in time; %s", s.name, s.node.offered()),
		}
	}
	return nil
}

// pool returns the instances known now, nil if there are none.
func (s service) pool() *pool { return s.node.directory.view().services[s.name] }

// try sends e to one instance after the other, until one takes it. With wait it begins
// again, after a pause, when all have failed.
func (s service) try(ctx context.Context, e actor.Envelope, wait bool, send func(actor.Recipient, actor.Envelope) error) error {
	t := trial{service: s, ctx: ctx, message: e.Message(), policy: s.policyNow(), wait: wait}
	defer func() { t.waiting.Done() }()
	for t.mayGoOn() {
		if err := s.node.present(); err != nil {
			return t.failed(err)
		}
		target, err := t.next()
		if err != nil {
			return t.failed(err)
		}
		if err = send(target.recipient, e); err == nil {
			t.succeeded(target)
			return nil
		}
		if !t.another(target, err) {
			return t.failed(err)
		}
	}
	return t.failed(cmp.Or(t.last, t.refusal))
}

// pick chooses among the instances that have not been tried, and if possible among
// those that handle such messages, and have not failed lately.
func (s service) pick(balancer Balancer, message any, tried []instanceKey) (*instance, error) {
	pool := s.pool()
	if pool == nil {
		return nil, unavailable("cluster %q has no instance of service %q now", s.node.cluster, s.name)
	}
	if len(tried) > 0 {
		pool = pool.without(func(i *instance) bool { return slices.Contains(tried, i.key) })
	}
	if unable := s.node.unhandled.by(message); unable != nil {
		if able := pool.without(unable); len(able.instances) > 0 {
			pool = able
		}
	}
	pool = s.node.avoided.good(pool)
	if len(pool.instances) == 0 {
		return nil, unavailable("no instance of service %q took the message", s.name)
	}
	index, err := balance(balancer, message, pool.public)
	if err != nil {
		return nil, unchosen(err)
	}
	return &pool.instances[index], nil
}

func balance(balancer Balancer, message any, candidates []Instance) (index int, err error) {
	switch b := balancer.(type) {
	case Random, *RoundRobin: // no code of the user
		return b.Pick(message, candidates)
	}
	failed := contain.Call(fmt.Sprintf("the %T", balancer), func() error {
		index, err = balancer.Pick(message, candidates)
		return nil
	})
	switch {
	case failed != nil:
		return 0, actor.Errorf(actor.Internal, "%w", failed)
	case err != nil:
		return 0, err
	case index < 0 || index >= len(candidates):
		return 0, actor.Errorf(actor.Internal, "the %T picked instance %d of %d", balancer, index, len(candidates))
	}
	return index, nil
}

// unchosen is the error for a message that no balancer has chosen an instance for.
func unchosen(err error) *actor.Error {
	e := *actor.AsError(err)
	e.NotRun = true
	return &e
}

// pool are the instances of one service, also as a Balancer sees them, and what
// may be spent on retries among them.
type pool struct {
	instances []instance
	public    []Instance
	budget    *budget
}

func newPool(instances []instance) *pool {
	p := &pool{instances: instances, public: make([]Instance, len(instances))}
	for i := range instances {
		p.public[i] = instances[i].Instance
	}
	return p
}

// has reports whether an instance is there; the pool may be nil.
func (p *pool) has(key instanceKey) bool {
	return p != nil && slices.ContainsFunc(p.instances, func(i instance) bool { return i.key == key })
}

func (p *pool) without(drop func(*instance) bool) *pool {
	var kept []instance
	for i := range p.instances {
		if !drop(&p.instances[i]) {
			kept = append(kept, p.instances[i])
		}
	}
	return newPool(kept)
}

// service returns the recipient for a path that came with a message.
func (n *Node) service(name string) (actor.Recipient, error) {
	if name == "" || len(name) > 128 {
		return nil, actor.Errorf(actor.InvalidArgument, "%.200q does not name a service", name)
	}
	return service{node: n, name: name}, nil
}
