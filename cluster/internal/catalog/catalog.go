// Package catalog encodes what a node serves, as it is gossiped.
package catalog

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/catalogpb"
)

// Service is an actor that serves under a name.
type Service struct {
	Name string
	Path string
	UID  uint64
}

// ErrMalformed is wrapped by the errors of Decode.
var ErrMalformed = errors.New("catalog: malformed")

// limits of what another node may make us remember.
const (
	maxServices = 10_000
	maxText     = 1024
)

// Encode returns the encoding of services.
func Encode(services []Service) ([]byte, error) {
	c := &catalogpb.Catalog{Services: make([]*catalogpb.Service, len(services))}
	for i, s := range services {
		c.Services[i] = &catalogpb.Service{Name: s.Name, Path: s.Path, Uid: s.UID}
	}
	return proto.Marshal(c)
}

// Decode is the inverse of Encode, for bytes from another node.
func Decode(data []byte) ([]Service, error) {
	var c catalogpb.Catalog
	if err := proto.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(c.Services) > maxServices {
		return nil, fmt.Errorf("%w: %d services", ErrMalformed, len(c.Services))
	}
	services := make([]Service, len(c.Services))
	for i, s := range c.Services {
		if s.Name == "" || s.Path == "" || s.Uid == 0 || max(len(s.Name), len(s.Path)) > maxText {
			return nil, fmt.Errorf("%w: service %d has an empty or overlong field", ErrMalformed, i)
		}
		services[i] = Service{Name: s.Name, Path: s.Path, UID: s.Uid}
	}
	return services, nil
}
