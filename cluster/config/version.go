package config

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// Version is a document as it was written once.
type Version struct {
	// Number counts the versions of the document, from 1. 0 is the document before it
	// was ever written: it is empty. After a back-up was restored numbers go on from
	// there, so that a number may come again.
	Number uint64
	// Revision is that of the store; a later version has a higher one, also over a
	// restored back-up, and no two have the same. See [At].
	Revision persistence.Revision
	// Time is when it was written, by the clock of the node that did.
	Time time.Time
	// Author and Note say who wrote it, and why; see [By] and the option [Note].
	Author, Note string
	// Values belong to whoever got the Version. They have the types that the package
	// comment lists, and are never nil.
	Values map[string]any
}

// unwritten is the version before the first.
func unwritten() Version { return Version{Values: map[string]any{}} }

func (v Version) clone() Version {
	v.Values = cloneMap(v.Values)
	return v
}

// record is what the store has of a version, beside its number and revision.
type record struct {
	Time   time.Time       `json:"time"`
	Author string          `json:"author"`
	Note   string          `json:"note,omitempty"`
	Values json.RawMessage `json:"values"`
}

func (v Version) encode() ([]byte, error) {
	values, err := marshal(v.Values)
	if err != nil {
		return nil, err
	}
	return json.Marshal(record{Time: v.Time, Author: v.Author, Note: v.Note, Values: values})
}

func decodeVersion(data []byte) (Version, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return Version{}, err
	}
	if len(r.Values) > MaxSize {
		return Version{}, errTooLarge()
	}
	if len(r.Values) == 0 {
		return Version{}, errors.New("there are no values")
	}
	values, err := unmarshal(r.Values)
	if err != nil {
		return Version{}, err
	}
	return Version{Time: r.Time, Author: r.Author, Note: r.Note, Values: values}, nil
}
