package topic

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/persistence"
)

// assignment says who owns the partitions of a durable topic, and who could. Once others
// see it, it is immutable.
type assignment struct {
	owners   []owner              // by partition
	hosts    []host               // by session
	read     bool                 // from the records
	revision persistence.Revision // of a time not before which it was so
}

// claim is the value of a host's and of an owner's record. Both are owned by the session
// that they name.
type claim struct {
	Node    string
	Session string
}

// owner is who owns a partition; zero for nobody.
type owner struct {
	claim
	epoch persistence.Revision // of its record
}

func (o owner) known() bool { return o.Node != "" }

// host is a session of a node that uses the topic.
type host struct {
	claim
	since persistence.Revision
}

// The records of a durable topic among those that sessions own.

func assignmentPrefix(topic string) string { return extensionName + "/" + topic + "/" }

func hostKey(topic, session string) string { return assignmentPrefix(topic) + "host/" + session }

func ownerKey(topic string, partition int) string {
	return assignmentPrefix(topic) + "owner/" + strconv.Itoa(partition)
}

func (c claim) encode() []byte {
	text, _ := json.Marshal(c) // strings never fail
	return text
}

func (a *assignment) clone() *assignment {
	c := *a
	c.owners, c.hosts = slices.Clone(a.owners), slices.Clone(a.hosts)
	return &c
}

// apply changes a as one record was changed. A record that it does not understand is an
// error, and is left out.
func (a *assignment) apply(topic string, c persistence.Change, revision persistence.Revision) error {
	what, id, _ := strings.Cut(strings.TrimPrefix(c.Key, assignmentPrefix(topic)), "/")
	var by claim
	if !c.Delete {
		if err := json.Unmarshal(c.Value, &by); err != nil || by.Node == "" || by.Session == "" {
			return fmt.Errorf("topic: the record %q does not hold a node and a session: %.100q", c.Key, c.Value)
		}
	}
	switch what {
	case "host":
		a.hosts = slices.DeleteFunc(a.hosts, func(h host) bool { return h.Session == id })
		if !c.Delete {
			a.hosts = append(a.hosts, host{by, revision})
		}
		return nil
	case "owner":
		partition, err := strconv.Atoi(id)
		if err == nil && partition >= 0 && partition < len(a.owners) {
			a.owners[partition] = owner{by, revision}
			if c.Delete {
				a.owners[partition] = owner{}
			}
			return nil
		}
	}
	return fmt.Errorf("topic: unknown record %q", c.Key)
}

// preferred returns the host that should own a partition: the one with the highest
// weight, so that only its own share moves when a node comes or goes (rendezvous hashing:
// Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998). Of two
// sessions of one node it is the later one.
func (a *assignment) preferred(topic string, partition int) (best host) {
	highest := uint64(0)
	salt := mix(hash(topic) + uint64(partition))
	for _, h := range a.hosts {
		weight := mix(hash(h.Node) ^ salt)
		if best.Node == "" || weight > highest || weight == highest && h.since > best.since {
			best, highest = h, weight
		}
	}
	return best
}

// partitionOf returns where an event belongs: with others of its key, and else where it
// is found again by its ID.
func partitionOf(key, id string, partitions int) int {
	if key == "" {
		key = id
	}
	return int(mix(hash(key)) % uint64(partitions))
}

// hash is the same in every process.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // it never fails
	return h.Sum64()
}

// mix spreads the bits of x evenly: the finaliser of SplitMix64 (Steele, Lea and Flood,
// "Fast Splittable Pseudorandom Number Generators", 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
