package catalog_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/troupe-go/troupe/cluster/internal/catalog"
)

func TestCatalogSurvivesTheWire(t *testing.T) {
	services := []catalog.Service{
		{Name: "greeter", Path: "greeter", UID: 7},
		{Name: "orders", Path: "shop/orders", UID: 1<<64 - 1},
	}
	data, err := catalog.Encode(services)
	if err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Decode(data)
	if err != nil || !slices.Equal(got, services) {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestIncompleteServicesAreRefused(t *testing.T) {
	for name, s := range map[string]catalog.Service{
		"no name":   {Path: "p", UID: 1},
		"no path":   {Name: "n", UID: 1},
		"no uid":    {Name: "n", Path: "p"},
		"long path": {Name: "n", Path: string(make([]byte, 4096)), UID: 1},
	} {
		data, err := catalog.Encode([]catalog.Service{s})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := catalog.Decode(data); !errors.Is(err, catalog.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := catalog.Encode([]catalog.Service{{Name: "n", Path: "x/y", UID: 3}})
	f.Add(good)
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		services, err := catalog.Decode(data)
		if err != nil {
			if !errors.Is(err, catalog.ErrMalformed) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		again, err := catalog.Encode(services)
		if err != nil {
			t.Fatal(err)
		}
		back, err := catalog.Decode(again)
		if err != nil || !slices.Equal(back, services) {
			t.Fatalf("round trip: %v, %v", back, err)
		}
	})
}
