package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// maxReply is about how many bytes of records or changes one answer has, beside the last
// of them: with the largest record, less than the largest message between nodes.
const maxReply = 1 << 20

// store is everything that the core keeps, as a [persistence.Store].
type store struct{ core *Core }

// Get returns a record that users keep; see [persistence.Store].
func (c *Core) Get(ctx context.Context, key string, options ...persistence.ReadOption) (persistence.Record, error) {
	return c.user.Get(ctx, key, options...)
}

// List returns records that users keep; see [persistence.Store].
func (c *Core) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	return c.user.List(ctx, q, options...)
}

// Commit changes what users keep; see [persistence.Store].
func (c *Core) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	return c.user.Commit(ctx, t)
}

func (s store) Close() error { return nil }

// Get implements [persistence.Store].
func (s store) Get(ctx context.Context, key string, options ...persistence.ReadOption) (persistence.Record, error) {
	if r := s.at(ctx, options); r != nil {
		if record, err := r.Store().Get(ctx, key); s.valid(err) {
			return record, err
		}
	}
	reply, err := s.read(ctx, &pb.Read{Kind: &pb.Read_Get{Get: []byte(key)}}, options)
	if err != nil {
		return persistence.Record{}, err
	}
	if len(reply.GetRecords()) != 1 {
		return persistence.Record{}, malformed("leader")
	}
	return decodeRecord(reply.Records[0]), nil
}

// List implements [persistence.Store].
func (s store) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	if r := s.at(ctx, options); r != nil {
		if records, err := r.Store().List(ctx, q); s.valid(err) {
			return records, err
		}
	}
	for {
		records, err := s.pages(ctx, q, options)
		if !errors.Is(err, persistence.ErrHistoryGone) {
			return records, err
		}
		// The pages took so long that their revision is no longer kept.
	}
}

// pages lists what another node has, in several answers if it is much.
func (s store) pages(ctx context.Context, q persistence.Query, options []persistence.ReadOption) (records []persistence.Record, err error) {
	list := encodeQuery(q)
	for {
		reply, err := s.read(ctx, &pb.Read{Kind: &pb.Read_List{List: list}}, options)
		if err != nil {
			return nil, err
		}
		for _, m := range reply.GetRecords() {
			records = append(records, decodeRecord(m))
		}
		list.Page = reply.GetPage()
		if !list.Page.GetMore() || len(records) == 0 || q.Limit > 0 && len(records) >= q.Limit {
			return records, nil
		}
		list.After, list.Offset = []byte(records[len(records)-1].Key), 0
		if q.Limit > 0 {
			list.Limit = int64(q.Limit - len(records))
		}
	}
}

// latest returns the present revision.
func (s store) latest(ctx context.Context) (persistence.Revision, error) {
	if r := s.at(ctx, nil); r != nil {
		return r.Store().Latest(), nil
	}
	reply, err := s.read(ctx, &pb.Read{Kind: &pb.Read_Latest{Latest: &pb.Latest{}}}, nil)
	return persistence.Revision(reply.GetLatest()), err
}

// at returns the replica of this node if a read from it is good enough.
func (s store) at(ctx context.Context, options []persistence.ReadOption) *replica {
	r := s.core.local()
	if r == nil || s.core.check(ctx) != nil {
		return nil
	}
	if slices.Contains(options, persistence.Stale) {
		return r
	}
	if _, _, ok := r.Leads(); ok && r.ReadBarrier(ctx) == nil {
		return r
	}
	return nil
}

// valid reports whether err is the answer of a replica, not that it has ended.
func (s store) valid(err error) bool { return !errors.Is(err, persistence.ErrClosed) }

// read asks the leader, or for a stale read any replica.
func (s store) read(ctx context.Context, q *pb.Read, options []persistence.ReadOption) (*pb.ReadReply, error) {
	c := s.core
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	core, err := c.ensure(ctx)
	if err != nil {
		return nil, err
	}
	q.Stale = slices.Contains(options, persistence.Stale)
	request := &pb.Request{Core: core, Kind: &pb.Request_Read{Read: q}}
	var reply *pb.Response
	if q.Stale {
		reply, err = c.atAny(ctx, core, request)
	} else {
		reply, err = c.atLeader(ctx, request)
	}
	if err != nil && c.ctx.Err() != nil && !definite(err) {
		return nil, errClosed()
	}
	return reply.GetRead(), err
}

// atAny has any replica answer q.
func (c *Core) atAny(ctx context.Context, core string, q *pb.Request) (*pb.Response, error) {
	until := c.patience()
	for {
		nodes := c.search.nodes(c.members.look(c).replicas[core], c.config.Node)
		rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		var last error
		for _, node := range nodes {
			limited, cancel := context.WithTimeout(ctx, c.config.Timing.inquiry())
			reply, err := c.request(limited, node, q)
			cancel()
			if err == nil || definite(err) {
				return reply, err
			}
			last = err
		}
		if err := c.pause(ctx, 1); err != nil {
			return nil, fmt.Errorf("consensus: no replica of core %s answers: %v: %w", core, last, err)
		}
		if time.Now().After(until) {
			return nil, notYet("no replica of core %s answers: %w", core, last)
		}
	}
}

// serveRead reads for another node.
func serveRead(ctx context.Context, r *replica, q *pb.Read) (*pb.ReadReply, error) {
	if !q.GetStale() {
		if err := r.ReadBarrier(ctx); err != nil {
			return nil, err
		}
	}
	reply := &pb.ReadReply{}
	switch kind := q.GetKind().(type) {
	case *pb.Read_Get:
		record, err := r.Store().Get(ctx, string(kind.Get))
		if err != nil {
			return nil, ended(err)
		}
		reply.Records = []*pb.Record{encodeRecord(&record)}
	case *pb.Read_List:
		before := badger.Page{Revision: persistence.Revision(kind.List.GetPage().GetRevision()), At: time.Unix(0, kind.List.GetPage().GetAt())}
		if before.Revision > r.Store().Latest() {
			return nil, errNotLeader // it has not come that far
		}
		page, err := r.Store().ListPage(ctx, decodeQuery(kind.List), maxReply, before)
		if err != nil {
			return nil, ended(err)
		}
		for i := range page.Records {
			reply.Records = append(reply.Records, encodeRecord(&page.Records[i]))
		}
		reply.Page = &pb.Page{Revision: uint64(page.Revision), At: page.At.UnixNano(), More: page.More}
	case *pb.Read_Latest:
		reply.Latest = uint64(r.Store().Latest())
	default:
		return nil, actor.Errorf(actor.InvalidArgument, "consensus: a read of no known kind")
	}
	return reply, nil
}

// ended makes the end of a replica that of one which cannot be asked.
func ended(err error) error {
	if errors.Is(err, persistence.ErrClosed) {
		return fmt.Errorf("%w: %v", errNotLeader, err)
	}
	return err
}

func encodeQuery(q persistence.Query) *pb.Query {
	return &pb.Query{
		Prefix: []byte(q.Prefix), Suffix: []byte(q.Suffix), After: []byte(q.After),
		Offset: int64(q.Offset), Limit: int64(q.Limit), Descending: q.Descending, KeysOnly: q.KeysOnly,
	}
}

func decodeQuery(m *pb.Query) persistence.Query {
	return persistence.Query{
		Prefix: string(m.GetPrefix()), Suffix: string(m.GetSuffix()), After: string(m.GetAfter()),
		Offset: int(m.GetOffset()), Limit: int(m.GetLimit()), Descending: m.GetDescending(), KeysOnly: m.GetKeysOnly(),
	}
}

func encodeRecord(r *persistence.Record) *pb.Record {
	m := &pb.Record{Key: []byte(r.Key), Value: r.Value, Metadata: encodeMetadata(r.Metadata), Revision: uint64(r.Revision)}
	if !r.Expires.IsZero() {
		m.Expires = r.Expires.UnixNano()
	}
	return m
}

func decodeRecord(m *pb.Record) persistence.Record {
	r := persistence.Record{
		Key: string(m.GetKey()), Value: m.GetValue(), Metadata: decodeMetadata(m.GetMetadata()),
		Revision: persistence.Revision(m.GetRevision()),
	}
	if m.GetExpires() != 0 {
		r.Expires = time.Unix(0, m.GetExpires())
	}
	return r
}
