package virtual

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/persistence"
)

// The records of a kind: its settings, which whoever serves it first decides; the
// sessions that serve it; and who owns a shard. The last two are owned by those
// sessions.

func kindPrefix(kind string) string  { return extensionName + "/" + kind + "/" }
func settingsKey(kind string) string { return kindPrefix(kind) + "agreed" } // before the others

func hostKey(kind, session string) string { return kindPrefix(kind) + "host/" + session }
func ownerKey(kind string, shard int) string {
	return kindPrefix(kind) + "shard/" + strconv.Itoa(shard)
}

// settings are what the nodes that serve a kind must agree on.
type settings struct {
	Shards int
	Role   string `json:",omitempty"` // that a node must have to run actors; empty for none
}

func (s settings) encode() []byte {
	data, _ := json.Marshal(s) // strings and numbers never fail
	return data
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
	case "agreed":
		return t.settle(c, revision)
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

// settle takes the settings of the kind. Nobody owns a shard when their number changes.
func (t *table) settle(c persistence.Change, revision persistence.Revision) error {
	if c.Delete {
		t.settled = 0 // those in use go on
		return nil
	}
	var s settings
	if err := json.Unmarshal(c.Value, &s); err != nil || s.Shards < 1 || s.Shards > maxShards {
		return fmt.Errorf("virtual: the record %q does not hold the settings of a kind: %.100q", c.Key, c.Value)
	}
	t.settings, t.settled = s, revision
	if len(t.shards) != s.Shards {
		t.shards = make([]owner, s.Shards)
	}
	return nil
}

func decodePlace(c persistence.Change) (place, error) {
	var p place
	if err := json.Unmarshal(c.Value, &p); err != nil || p.Node == "" || p.Session == "" {
		return p, fmt.Errorf("virtual: the record %q does not hold a node and a session: %.100q", c.Key, c.Value)
	}
	return p, nil
}
