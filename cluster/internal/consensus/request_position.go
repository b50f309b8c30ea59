package consensus

import (
	"cmp"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
)

// position is how far the log of a replica reaches: of two, the one with the later term
// in its last entry is newer, and then the longer one (Ongaro and Ousterhout, 2014,
// section 5.4.1).
type position struct{ term, index uint64 }

func positionOf(reply *pb.WhoReply) position {
	return position{term: reply.GetLogTerm(), index: reply.GetLogIndex()}
}

func (p position) before(other position) bool {
	return cmp.Or(cmp.Compare(p.term, other.term), cmp.Compare(p.index, other.index)) < 0
}
