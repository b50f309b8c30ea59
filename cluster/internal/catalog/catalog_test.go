package catalog_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/catalog"
	"github.com/troupe-go/troupe/cluster/internal/catalogpb"
)

func TestCatalogSurvivesTheWire(t *testing.T) {
	for _, c := range []catalog.Catalog{
		{Services: []catalog.Service{}},
		{Services: []catalog.Service{
			{Name: "greeter", Path: "greeter", UID: 7},
			{Name: "orders", Path: "shop/orders", UID: 1<<64 - 1},
		}},
		{Services: []catalog.Service{}, Core: catalog.Core{ID: "c", Server: "n/1"}},
		{Services: []catalog.Service{}, Core: catalog.Core{ID: "c"}},
		{Services: []catalog.Service{}, Announcements: map[string][]byte{"topic": []byte("orders\n"), "x": {0xff}}},
	} {
		data, err := catalog.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := catalog.Decode(data)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
}

func TestIncompleteCatalogsAreRefused(t *testing.T) {
	service := func(s catalog.Service) catalog.Catalog { return catalog.Catalog{Services: []catalog.Service{s}} }
	for name, c := range map[string]catalog.Catalog{
		"no name":        service(catalog.Service{Path: "p", UID: 1}),
		"no path":        service(catalog.Service{Name: "n", UID: 1}),
		"no uid":         service(catalog.Service{Name: "n", Path: "p"}),
		"long path":      service(catalog.Service{Name: "n", Path: string(make([]byte, 4096)), UID: 1}),
		"no core":        {Core: catalog.Core{Server: "s"}},
		"no announcer":   {Announcements: map[string][]byte{"": {1}}},
		"long announcer": {Announcements: map[string][]byte{string(make([]byte, 4096)): {1}}},
		"many services":  {Services: slices.Repeat([]catalog.Service{{Name: "n", Path: "p", UID: 1}}, 10_001)},
		"long core":      {Core: catalog.Core{ID: "c", Server: string(make([]byte, 4096))}},
	} {
		if _, err := catalog.Decode(unchecked(t, c)); !errors.Is(err, catalog.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
		if data, err := catalog.Encode(c); err == nil {
			t.Errorf("%s: encoded as %d bytes, which nobody reads", name, len(data))
		}
	}
}

// unchecked encodes a catalog as a node with other limits does.
func unchecked(t *testing.T, c catalog.Catalog) []byte {
	t.Helper()
	out := &catalogpb.Catalog{Core: &catalogpb.Core{Id: c.Core.ID, Server: c.Core.Server}}
	if c.Core == (catalog.Core{}) {
		out.Core = nil
	}
	for _, s := range c.Services {
		out.Services = append(out.Services, &catalogpb.Service{Name: s.Name, Path: s.Path, Uid: s.UID})
	}
	for name, data := range c.Announcements {
		out.Announcements = append(out.Announcements, &catalogpb.Announcement{Name: name, Data: data})
	}
	data, err := proto.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzDecode(f *testing.F) {
	good, _ := catalog.Encode(catalog.Catalog{
		Services: []catalog.Service{{Name: "n", Path: "x/y", UID: 3}},
		Core:     catalog.Core{ID: "c", Server: "n/1"},

		Announcements: map[string][]byte{"topic": []byte("orders\n"), "x": nil},
	})
	f.Add(good)
	f.Add([]byte("\x1a\x03\n\x01x\x1a\x03\n\x01x")) // one announcement twice
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := catalog.Decode(data)
		if err != nil {
			if !errors.Is(err, catalog.ErrMalformed) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		again, err := catalog.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		back, err := catalog.Decode(again)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("round trip: %v, %v", back, err)
		}
	})
}
