package consensus

import (
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// encodeTransaction shares the values with t.
func encodeTransaction(t *persistence.Transaction) *pb.Transaction {
	out := &pb.Transaction{If: make([]*pb.Condition, len(t.If)), Then: make([]*pb.Change, len(t.Then))}
	for i, c := range t.If {
		out.If[i] = &pb.Condition{Key: []byte(c.Key), Revision: uint64(c.Revision)}
	}
	for i := range t.Then {
		out.Then[i] = encodeChange(&t.Then[i])
	}
	return out
}

// decodeTransaction shares the values with m.
func decodeTransaction(m *pb.Transaction) (t persistence.Transaction) {
	for _, c := range m.GetIf() {
		t.If = append(t.If, persistence.Condition{Key: string(c.GetKey()), Revision: persistence.Revision(c.GetRevision())})
	}
	for _, c := range m.GetThen() {
		t.Then = append(t.Then, decodeChange(c))
	}
	return t
}

func encodeChange(c *persistence.Change) *pb.Change {
	return &pb.Change{
		Key: []byte(c.Key), Delete: c.Delete, Value: c.Value, Metadata: encodeMetadata(c.Metadata),
		Ttl: int64(c.TTL), Expired: c.Expired,
	}
}

func decodeChange(m *pb.Change) persistence.Change {
	return persistence.Change{
		Key: string(m.GetKey()), Delete: m.GetDelete(), Value: m.GetValue(), Metadata: decodeMetadata(m.GetMetadata()),
		TTL: time.Duration(m.GetTtl()), Expired: m.GetExpired(),
	}
}

func encodeMetadata(metadata map[string]string) (pairs []*pb.Pair) {
	for name, value := range metadata {
		pairs = append(pairs, &pb.Pair{Name: []byte(name), Value: []byte(value)})
	}
	return pairs
}

func decodeMetadata(pairs []*pb.Pair) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	metadata := make(map[string]string, len(pairs))
	for _, p := range pairs {
		metadata[string(p.GetName())] = string(p.GetValue())
	}
	return metadata
}
