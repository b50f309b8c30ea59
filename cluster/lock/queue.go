package lock

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// Where the records are. That of somebody in a queue has the key
//
//	lock/queue/<name, escaped>/<generation>.<permits>.<limit>.<random>
//
// with "lock/election/" for an election. A list of the keys alone so tells the whole
// queue; its order is that of the revisions. See generation for the first part.
const (
	lockQueues     = "lock/queue/"
	electionQueues = "lock/election/"
	generations    = "lock/generation/"
	withdrawn      = "lock/withdrawn/"
)

const maxNameSize = 1024

// queue is where those are who hold, or want, one lock or leadership.
type queue struct {
	kind, name string
	prefix     string
}

func newQueue(kind, prefix, name string) (queue, error) {
	if name == "" || len(name) > maxNameSize {
		return queue{}, actor.Errorf(actor.InvalidArgument, "lock: the name of a %s has %d bytes; choose 1 to %d", kind, len(name), maxNameSize)
	}
	return queue{kind, name, prefix + url.PathEscape(name) + "/"}, nil
}

func (q queue) String() string { return fmt.Sprintf("%s %q", q.kind, q.name) }

// place is one in a queue.
type place struct {
	demand
	generation persistence.Revision
	id         string
	key        string // made of all that
	revision   persistence.Revision
}

func newPlace(d demand) place { return place{demand: d, id: rand.Text()} }

// in returns p with a key in q.
func (p place) in(q queue, generation persistence.Revision) place {
	p.generation = generation
	p.key = fmt.Sprintf("%s.%d.%d.%s", q.generationPrefix(generation), p.permits, p.limit, p.id)
	return p
}

// withdrawal returns the key of what [Lock.withdraw] leaves behind for p.
func (p place) withdrawal() string { return withdrawn + p.id }

// generationPrefix sorts as the generations do.
func (q queue) generationPrefix(g persistence.Revision) string {
	return fmt.Sprintf("%s%016x", q.prefix, uint64(g))
}

// parsePlace reads what a key says. Records with keys that are not understood may be of
// holders, so that they must not be passed over.
func (q queue) parsePlace(key string, revision persistence.Revision) (place, error) {
	p := place{revision: revision}
	parts := strings.Split(strings.TrimPrefix(key, q.prefix), ".")
	if len(parts) == 4 {
		generation, _ := strconv.ParseUint(parts[0], 16, 64)
		p.permits, _ = strconv.ParseInt(parts[1], 10, 64)
		p.limit, _ = strconv.ParseInt(parts[2], 10, 64)
		p.id = parts[3]
		p = p.in(q, persistence.Revision(generation))
	}
	if !p.valid() || p.id == "" || p.key != key {
		return place{}, actor.Errorf(actor.DataLoss, "lock: %s: what the record %q asks for is not understood: delete it, or run the version that wrote it", q, key)
	}
	return p, nil
}

// line returns who is in the queue, of the generations from the given one on.
func (q queue) line(ctx context.Context, s persistence.Store, from persistence.Revision) (line, error) {
	records, err := s.List(ctx, persistence.Query{Prefix: q.prefix, After: q.generationPrefix(from), KeysOnly: true})
	if err != nil {
		return nil, err
	}
	all := make(line, len(records))
	for i, r := range records {
		if all[i], err = q.parsePlace(r.Key, r.Revision); err != nil {
			return nil, err
		}
	}
	all.sort()
	return all, nil
}

// line is a queue at some moment, in its order.
type line []place

func (l line) sort() {
	slices.SortFunc(l, func(a, b place) int { return cmp.Compare(a.revision, b.revision) })
}

func (l line) index(key string) int {
	return slices.IndexFunc(l, func(p place) bool { return p.key == key })
}

func (l line) without(key string) line {
	return slices.DeleteFunc(l, func(p place) bool { return p.key == key })
}

// holders returns how many hold, from the first on: as many as need no more permits
// than any of them allows. Who comes later cannot change that, and those who hold
// still do when somebody before them goes.
func (l line) holders() int {
	held, most := int64(0), demand{}.most()
	for i, p := range l {
		held += p.permits
		if most = min(most, p.most()); held > most {
			return i
		}
	}
	return len(l)
}

// obstacle returns what the i-th has to wait for: "" if it holds, the key of one that
// surely has to go first, or else the prefix of all. The nearest of those is the last
// to go, most likely.
func (l line) obstacle(i int, prefix string) string {
	if i < l.holders() {
		return ""
	}
	for _, p := range slices.Backward(l[:i]) {
		if p.excludes(l[i].demand) {
			return p.key
		}
	}
	return prefix
}
