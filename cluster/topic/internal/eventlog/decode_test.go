package eventlog

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// What decodes is encoded to what decodes to the same.

func FuzzBlock(f *testing.F) {
	event := func(e Event) []byte { return appendEvent(nil, &e) }
	f.Add([]byte{})
	f.Add(encodeBlock(1, 1, [][]byte{event(Event{})}))
	f.Add(encodeBlock(7, time.Now().UnixNano(), [][]byte{
		event(Event{ID: "id", Key: "key", Type: "t", ContentType: "c", Header: map[string]string{"a": "b"}, Payload: []byte("p")}),
		event(Event{Dead: &DeadLetter{Group: "g", Offset: 3, Attempts: 2, Error: "e"}}),
	}))
	f.Add([]byte{blockVersion, 1, 1, 255, 255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := decodeBlock(data)
		if err != nil {
			return
		}
		var encoded [][]byte
		for i := range events {
			encoded = append(encoded, appendEvent(nil, &events[i]))
		}
		again, err := decodeBlock(encodeBlock(events[0].Offset, events[0].Time.UnixNano(), encoded))
		if err != nil || !reflect.DeepEqual(events, again) {
			t.Errorf("%+v became %+v, %v", events, again, err)
		}
	})
}

func FuzzBlockKey(f *testing.F) {
	f.Add("")
	f.Add(block{first: 17, count: 3, size: 1000, time: 1e18}.key())
	f.Add(block{first: 1, count: 1}.key() + "0")
	f.Fuzz(func(t *testing.T, key string) {
		if b, err := parseBlockKey(key); err == nil && b.key() != key {
			t.Errorf("%q became %q", key, b.key())
		}
	})
}

func FuzzHead(f *testing.F) {
	h := head{epoch: 3, writer: 1 << 63, number: 9, time: 1e18, logs: [2]extent{{1, 1, 0}, {5, 900, 1 << 20}}}
	f.Add(h.encode())
	f.Add([]byte{headVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := decodeHead(data)
		if err != nil {
			return
		}
		if again, err := decodeHead(h.encode()); err != nil || again != h {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}

func FuzzIdentities(f *testing.F) {
	s := identities{number: 7, time: 1e18, all: []identified{{identityOf("a"), 7}, {identityOf("b"), 9}}}
	f.Add(s.encode())
	f.Add([]byte{identityVersion, 1, 1, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeIdentities(data)
		if err != nil {
			return
		}
		if again, err := decodeIdentities(s.encode()); err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}

func FuzzProgress(f *testing.F) {
	p := progress{position: 3, reserved: 20, runs: []run{{1, 2, 1}, {3, 0, 0}, {1, 1, 0}}, counters: counters{1, 2, 3}}
	f.Add(p.encode())
	f.Add((&progress{position: 1, clean: true}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodeProgress(data)
		if err != nil {
			return
		}
		if again, err := decodeProgress(p.encode()); err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
		for i, r := range p.recovered() {
			if i > 0 && r.length == 0 {
				t.Errorf("%+v has an empty run when recovered", p)
			}
		}
	})
}

func TestWhatMayHaveBeenDeliveredCountsAsAnAttempt(t *testing.T) {
	for _, c := range []struct {
		name     string
		progress progress
		want     []run
	}{
		{"nothing", progress{position: 5, reserved: 5}, nil},
		{"not said", progress{position: 5, reserved: 8}, []run{{3, 2, 0}}},
		{"some are done with", progress{position: 5, reserved: 10, runs: []run{{1, 1, 0}, {2, 0, 0}}}, []run{{1, 2, 0}, {2, 0, 0}, {2, 2, 0}}},
		{"some have failed", progress{position: 5, reserved: 6, runs: []run{{2, 3, 1}}}, []run{{1, 4, 1}, {1, 3, 1}}},
		{"some were delivered before", progress{position: 5, reserved: 7, runs: []run{{1, 3, 0}, {2, 2, 0}}}, []run{{1, 4, 0}, {1, 3, 0}, {1, 2, 0}}},
		{"closed", progress{position: 5, reserved: 9, clean: true, runs: []run{{1, 2, 0}}}, []run{{1, 2, 0}}},
	} {
		if got := c.progress.recovered(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
