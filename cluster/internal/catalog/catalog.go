// Package catalog encodes what a node has to offer, as it is gossiped.
package catalog

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/catalogpb"
)

// Catalog is what a node has to offer.
type Catalog struct {
	Services []Service
	Core     Core
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
	maxServices = 10_000
	maxText     = 1024
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
	return c, nil
}
