// Package catalog encodes what a node has to offer, as it is gossiped.
package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/catalogpb"
)

// Catalog is what a node has to offer.
type Catalog struct {
	Services      []Service
	Core          Core
	Announcements map[string][]byte // by extension; nil if there are none
}

// Service is an actor that serves under a name.
type Service struct {
	Name string
	Path string
	UID  uint64
}

// Core is the consistent core that the node knows of; zero if it knows of none.
type Core struct {
	ID     string
	Server string // the node's replica; empty if it has none
}

// ErrMalformed is wrapped by the errors of Decode.
var ErrMalformed = errors.New("catalog: malformed")

// limits of what another node may make us remember.
const (
	maxServices      = 10_000
	maxAnnouncements = 64
	maxText          = 1024
)

// Encode returns the encoding of c.
func Encode(c Catalog) ([]byte, error) {
	out := &catalogpb.Catalog{Services: make([]*catalogpb.Service, len(c.Services))}
	for i, s := range c.Services {
		out.Services[i] = &catalogpb.Service{Name: s.Name, Path: s.Path, Uid: s.UID}
	}
	if c.Core != (Core{}) {
		out.Core = &catalogpb.Core{Id: c.Core.ID, Server: c.Core.Server}
	}
	if len(c.Announcements) > maxAnnouncements {
		return nil, fmt.Errorf("catalog: %d announcements; at most %d are allowed", len(c.Announcements), maxAnnouncements)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Announcements)) {
		out.Announcements = append(out.Announcements, &catalogpb.Announcement{Name: name, Data: c.Announcements[name]})
	}
	return proto.Marshal(out)
}

// Decode is the inverse of Encode, for bytes from another node.
func Decode(data []byte) (Catalog, error) {
	var in catalogpb.Catalog
	if err := proto.Unmarshal(data, &in); err != nil {
		return Catalog{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(in.Services) > maxServices {
		return Catalog{}, fmt.Errorf("%w: %d services", ErrMalformed, len(in.Services))
	}
	c := Catalog{Services: make([]Service, len(in.Services))}
	for i, s := range in.Services {
		if s.Name == "" || s.Path == "" || s.Uid == 0 || max(len(s.Name), len(s.Path)) > maxText {
			return Catalog{}, fmt.Errorf("%w: service %d has an empty or overlong field", ErrMalformed, i)
		}
		c.Services[i] = Service{Name: s.Name, Path: s.Path, UID: s.Uid}
	}
	if core := in.Core; core != nil {
		if core.Id == "" || max(len(core.Id), len(core.Server)) > maxText {
			return Catalog{}, fmt.Errorf("%w: the core has an empty or overlong field", ErrMalformed)
		}
		c.Core = Core{ID: core.Id, Server: core.Server}
	}
	var err error
	c.Announcements, err = announcements(in.Announcements)
	return c, err
}

func announcements(in []*catalogpb.Announcement) (map[string][]byte, error) {
	if len(in) == 0 {
		return nil, nil
	}
	if len(in) > maxAnnouncements {
		return nil, fmt.Errorf("%w: %d announcements", ErrMalformed, len(in))
	}
	byName := make(map[string][]byte, len(in))
	for i, a := range in {
		if _, twice := byName[a.Name]; twice || a.Name == "" || len(a.Name) > maxText {
			return nil, fmt.Errorf("%w: announcement %d is a second one, or has an empty or overlong name", ErrMalformed, i)
		}
		byName[a.Name] = a.Data
	}
	return byName, nil
}
