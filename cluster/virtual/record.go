package virtual

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/persistence"
)

// The records of a kind: how many shards it has, which the first node that serves it
// decides for good; the sessions that serve it; and who owns a shard. The last two are
// owned by those sessions.

func kindPrefix(kind string) string { return extensionName + "/" + kind + "/" }
func countKey(kind string) string   { return kindPrefix(kind) + "count" } // before the others

func hostKey(kind, session string) string { return kindPrefix(kind) + "host/" + session }
func ownerKey(kind string, shard int) string {
	return kindPrefix(kind) + "shard/" + strconv.Itoa(shard)
}

// place is the value of a host's and of an owner's record.
type place struct {
	Node    string
	Session string
	// Started is when the process of a host was started, in nanoseconds since 1970 by
	// its own clock, as gossip has it.
	Started int64 `json:",omitempty"`
}

func (p place) encode() []byte {
	data, _ := json.Marshal(p) // strings and numbers never fail
	return data
}

const maxShards = 1 << 14

// apply changes t as one record of its kind was changed. A record that it does not
// understand is an error, and is left out.
func (t *table) apply(kind string, c persistence.Change, revision persistence.Revision) error {
	rest := strings.TrimPrefix(c.Key, kindPrefix(kind))
	what, id, _ := strings.Cut(rest, "/")
	switch what {
	case "count":
		n, err := strconv.Atoi(string(c.Value))
		if c.Delete {
			return nil // those in use go on
		}
		if err != nil || n < 1 || n > maxShards {
			return fmt.Errorf("virtual: the record %q does not hold a number of shards: %.40q", c.Key, c.Value)
		}
		if len(t.shards) == 0 {
			t.shards = make([]owner, n)
		}
		return nil
	case "host":
		if c.Delete {
			t.removeHost(id)
			return nil
		}
		p, err := decodePlace(c)
		if err == nil {
			t.addHost(host{place: p, since: revision})
		}
		return err
	case "shard":
		shard, err := strconv.Atoi(id)
		if err != nil || shard < 0 || shard >= len(t.shards) {
			return fmt.Errorf("virtual: the record %q does not name a shard", c.Key)
		}
		if c.Delete {
			t.shards[shard] = owner{}
			return nil
		}
		p, err := decodePlace(c)
		if err == nil {
			t.shards[shard] = owner{place: p, epoch: revision}
		}
		return err
	}
	return fmt.Errorf("virtual: unknown record %q", c.Key)
}

func decodePlace(c persistence.Change) (place, error) {
	var p place
	if err := json.Unmarshal(c.Value, &p); err != nil || p.Node == "" || p.Session == "" {
		return p, fmt.Errorf("virtual: the record %q does not hold a node and a session: %.100q", c.Key, c.Value)
	}
	return p, nil
}
