package cluster

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
)

// deaf is a network on which nothing can be listened at.
type deaf struct{ tried *[]string }

func (d deaf) Listen(_ context.Context, address string) (net.Listener, net.PacketConn, error) {
	*d.tried = append(*d.tried, address)
	return nil, nil, errors.New("it is taken")
}

func (deaf) Dial(context.Context, string) (net.Conn, error) {
	return nil, errors.New("nobody is there")
}

func TestThePortOfAnAddressGivenByHandIsNotListenedAt(t *testing.T) {
	for _, test := range []struct {
		advertise, last string
		want            []string
	}{
		{"", "", []string{"127.0.0.1:0"}},
		{"", "10.0.0.1:9000", []string{"127.0.0.1:9000", "127.0.0.1:0"}},
		{"203.0.113.9:30420", "203.0.113.9:30420", []string{"127.0.0.1:0"}},
	} {
		var tried []string
		c := &config{network: deaf{&tried}, Config: Config{Advertise: test.advertise}}
		if _, _, err := c.open(t.Context(), test.last); err == nil || !slices.Equal(tried, test.want) {
			t.Errorf("%+v: it tries %q, %v", test, tried, err)
		}
	}
}
