package consensus

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// Handle answers a request of another node, whose authenticated name from is. It
// returns an error that is InvalidArgument for what is no request, and changes nothing.
func (c *Core) Handle(ctx context.Context, from string, request []byte) ([]byte, error) {
	var q pb.Request
	if err := proto.Unmarshal(request, &q); err != nil {
		return nil, actor.Errorf(actor.InvalidArgument, "consensus: a request of node %s that does not decode: %w", from, err)
	}
	if q.Kind == nil {
		return nil, actor.Errorf(actor.InvalidArgument, "consensus: a request of node %s of no known kind; run the same version on all nodes", from)
	}
	if !c.enter() {
		return proto.Marshal(&pb.Response{Failure: failureOf(notYet("node %s is leaving", c.config.Node))})
	}
	defer c.running.Done()
	ctx, cancel := c.within(ctx)
	defer cancel()
	return proto.Marshal(c.serve(ctx, from, &q))
}

// serve answers a request of any node, this one included.
func (c *Core) serve(ctx context.Context, from string, q *pb.Request) *pb.Response {
	reply := &pb.Response{}
	if err := c.dispatch(ctx, from, q, reply); err != nil {
		if c.ctx.Err() != nil && !notRun(err) { // it was not the caller who gave up
			err = actor.Errorf(actor.Unknown, "consensus: node %s is leaving: %v", c.config.Node, err)
		}
		return &pb.Response{Failure: failureOf(err)}
	}
	return reply
}

func (c *Core) dispatch(ctx context.Context, from string, q *pb.Request, reply *pb.Response) error {
	switch kind := q.Kind.(type) {
	case *pb.Request_Found:
		found, err := c.serveFound(ctx)
		reply.Kind = &pb.Response_Found{Found: found}
		return err
	case *pb.Request_Invite:
		invited, err := c.serveInvite(ctx, q.Core, kind.Invite.GetBefore())
		reply.Kind = &pb.Response_Invite{Invite: invited}
		return err
	default:
		r, err := c.replicaOf(q.Core)
		if err != nil {
			return err
		}
		return c.dispatchTo(ctx, r, from, kind, reply)
	}
}

func (c *Core) dispatchTo(ctx context.Context, r *replica, from string, kind any, reply *pb.Response) error {
	switch kind := kind.(type) {
	case *pb.Request_Who:
		reply.Kind = &pb.Response_Who{Who: serveWho(ctx, c.config.Node, r)}
		return nil
	case *pb.Request_Commit:
		done, err := serveCommit(ctx, r, from, kind.Commit)
		reply.Kind = &pb.Response_Commit{Commit: done}
		return err
	case *pb.Request_Read:
		found, err := serveRead(ctx, r, kind.Read)
		reply.Kind = &pb.Response_Read{Read: found}
		return err
	case *pb.Request_Poll:
		changes, err := c.servePoll(ctx, r, kind.Poll)
		reply.Kind = &pb.Response_Poll{Poll: changes}
		return err
	case *pb.Request_Renew:
		if id := kind.Renew.GetSession(); opened(from, id) {
			return c.serveRenew(ctx, r, id)
		}
		return actor.Errorf(actor.PermissionDenied, "consensus: this session is not one of node %s", from)
	case *pb.Request_Restore:
		if id := kind.Restore.GetSession(); opened(from, id) {
			return ended(r.Restore(ctx, id, kind.Restore.GetParts()))
		}
		return actor.Errorf(actor.PermissionDenied, "consensus: this session is not one of node %s", from)
	case *pb.Request_Forget:
		return serveForget(ctx, r, kind.Forget.GetNodes())
	case *pb.Request_EndSession:
		if id := kind.EndSession.GetSession(); opened(from, id) {
			return c.serveEndSession(ctx, r, id)
		}
		return actor.Errorf(actor.PermissionDenied, "consensus: this session is not one of node %s", from)
	}
	return actor.Errorf(actor.InvalidArgument, "consensus: a request of no known kind")
}

// replicaOf returns the replica of this node if it is one of core.
func (c *Core) replicaOf(core string) (*replica, error) {
	c.mu.Lock()
	r, id := c.replica, c.id
	c.mu.Unlock()
	switch {
	case core != id.Core && id.Core != "" && core != "":
		return nil, actor.Errorf(actor.FailedPrecondition, "consensus: %w: node %s takes part in core %s, the request is for core %s", ErrTwoCores, c.config.Node, id.Core, core)
	case r == nil || core != id.Core:
		return nil, errNotLeader
	}
	return r, nil
}

// send has another node answer q. An error that is errNotLeader, or has NotRun, says
// that nothing has happened.
func (c *Core) send(ctx context.Context, node string, q *pb.Request) (*pb.Response, error) {
	data, err := proto.Marshal(q)
	if err != nil {
		return nil, err
	}
	data, err = c.config.Call(ctx, node, data)
	switch {
	case actor.CodeOf(err) == actor.InvalidArgument: // too large, whoever leads
		return nil, fmt.Errorf("consensus: %w: %v", persistence.ErrInvalid, err)
	case err != nil:
		return nil, callError{err}
	}
	reply := new(pb.Response)
	if err := proto.Unmarshal(data, reply); err != nil {
		return nil, malformed(node)
	}
	return reply, errorOf(reply.Failure)
}

// callError is an error of Config.Call: not the other node's answer.
type callError struct{ error }

func (e callError) Unwrap() error { return e.error }

// malformed is for an answer that makes no sense.
func malformed(node string) error {
	return actor.Errorf(actor.Internal, "consensus: node %s gives an answer that does not decode; run the same version on all nodes", node)
}

// failureOf is err as another node gets it.
func failureOf(err error) *pb.Failure {
	var elsewhere notLeaderError
	errors.As(err, &elsewhere)
	e := actor.AsError(err)
	return &pb.Failure{
		Code: uint32(e.Code), Reason: e.Reason, Message: e.Message, NotRun: e.NotRun,
		NotLeader: errors.Is(err, errNotLeader), Leader: elsewhere.Leader,
	}
}

// errorOf is the inverse of failureOf.
func errorOf(f *pb.Failure) error {
	switch {
	case f == nil:
		return nil
	case f.Leader != "":
		return notLeaderError{f.Leader}
	case f.NotLeader:
		return errNotLeader
	}
	return &actor.Error{Code: actor.Code(f.Code), Reason: f.Reason, Message: f.Message, NotRun: f.NotRun}
}
