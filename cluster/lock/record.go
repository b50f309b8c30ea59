package lock

import (
	"encoding/json"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// record is the value of a record in a queue: what is worth knowing about who put it
// there. Nothing depends on it.
type record struct {
	Node    string    `json:"node"`
	Session string    `json:"session"`
	Since   time.Time `json:"since"`
	Value   []byte    `json:"value,omitempty"` // any bytes, where JSON takes text only
}

func (r record) encode() ([]byte, error) { return json.Marshal(r) }

func decodeRecord(key string, value []byte) (r record, err error) {
	if err := json.Unmarshal(value, &r); err != nil {
		return record{}, actor.Errorf(actor.DataLoss, "lock: the record %q does not decode; was it written by another program? %w", key, err)
	}
	return r, nil
}
