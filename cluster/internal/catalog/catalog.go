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

// Limits of what another node may make us remember. Encode refuses what Decode would.
const (
	maxServices      = 10_000
	maxAnnouncements = 64
	maxText          = 1024
)

// MaxCoreLen is how much longer a Core makes an encoding, at most.
const MaxCoreLen = 2*maxText + 16

// Encode returns the encoding of c. The error says what others would not read.
func Encode(c Catalog) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	out := &catalogpb.Catalog{Services: make([]*catalogpb.Service, len(c.Services))}
	for i, s := range c.Services {
		out.Services[i] = &catalogpb.Service{Name: s.Name, Path: s.Path, Uid: s.UID}
	}
	if c.Core != (Core{}) {
		out.Core = &catalogpb.Core{Id: c.Core.ID, Server: c.Core.Server}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Announcements)) {
		out.Announcements = append(out.Announcements, &catalogpb.Announcement{Name: name, Data: c.Announcements[name]})
	}
	return proto.Marshal(out)
}

// check returns what is beyond the limits.
func (c Catalog) check() error {
	if len(c.Services) > maxServices {
		return fmt.Errorf("%d services; at most %d are allowed", len(c.Services), maxServices)
	}
	for i, s := range c.Services {
		if s.Name == "" || s.Path == "" || s.UID == 0 || max(len(s.Name), len(s.Path)) > maxText {
			return fmt.Errorf("service %d has an empty or overlong field", i)
		}
	}
	if core := c.Core; core != (Core{}) && (core.ID == "" || max(len(core.ID), len(core.Server)) > maxText) {
		return errors.New("the core has an empty or overlong field")
	}
	if len(c.Announcements) > maxAnnouncements {
		return fmt.Errorf("%d announcements; at most %d are allowed", len(c.Announcements), maxAnnouncements)
	}
	for name := range c.Announcements {
		if name == "" || len(name) > maxText {
			return fmt.Errorf("an announcement has a name of %d bytes; it must have 1 to %d", len(name), maxText)
		}
	}
	return nil
}

// Decode is the inverse of Encode, for bytes from another node.
func Decode(data []byte) (Catalog, error) {
	var in catalogpb.Catalog
	if err := proto.Unmarshal(data, &in); err != nil {
		return Catalog{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c := Catalog{Services: make([]Service, len(in.Services))}
	for i, s := range in.Services {
		c.Services[i] = Service{Name: s.Name, Path: s.Path, UID: s.Uid}
	}
	if core := in.Core; core != nil {
		if core.Id == "" {
			return Catalog{}, fmt.Errorf("%w: the core has an empty field", ErrMalformed)
		}
		c.Core = Core{ID: core.Id, Server: core.Server}
	}
	if len(in.Announcements) > 0 {
		c.Announcements = make(map[string][]byte, len(in.Announcements))
	}
	for _, a := range in.Announcements {
		if _, twice := c.Announcements[a.Name]; twice {
			return Catalog{}, fmt.Errorf("%w: there are two announcements of one name", ErrMalformed)
		}
		c.Announcements[a.Name] = a.Data
	}
	if err := c.check(); err != nil {
		return Catalog{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return c, nil
}
