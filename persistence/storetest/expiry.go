package storetest

import (
	"errors"
	"math"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// The tests wait for a record to go by watching: no time is assumed.

func recordExpires(f *fixture) {
	const life = 20 * time.Millisecond
	before := time.Now()
	written := f.put("short", "x", persistence.TTL(life))
	f.put("long", "x", persistence.TTL(time.Hour))
	f.put("ever", "x")
	if r, err := f.Get(f.Context(), "short"); err == nil {
		if r.Expires.Before(before.Add(life)) || r.Expires.After(time.Now().Add(life)) {
			f.Errorf("a record with %v to live, written after %v, expires at %v", life, before, r.Expires)
		}
	} else if !errors.Is(err, persistence.ErrNotFound) {
		f.Fatal(err)
	}
	w := f.watch("short", 0)
	if c := w.next(); len(c.Changes) != 1 || c.Changes[0].Delete || c.Changes[0].TTL != life || c.Revision != written {
		f.Errorf("the watch yields %+v, want the write with a TTL of %v", c, life)
	}
	c := w.next()
	if len(c.Changes) != 1 || !c.Changes[0].Delete || !c.Changes[0].Expired || c.Changes[0].Key != "short" {
		f.Errorf("the watch yields %+v, want that the record has expired", c)
	}
	if time.Since(before) < life {
		f.Errorf("the record went after %v, it had %v to live", time.Since(before), life)
	}
	f.wantNone("short")
	if got := keysOf(f.list(persistence.Query{})); len(got) != 2 {
		f.Errorf("List has %q, want the records that have not expired", got)
	}
	if r := f.get("long"); r.Expires.IsZero() {
		f.Errorf("%+v does not say when it expires", r)
	}
	if _, err := persistence.CompareAndSwap(f.Context(), f, "short", 0, nil); err != nil {
		f.Errorf("CompareAndSwap of nothing after the record has expired: %v", err)
	}
}

func overwritingEndsATimeToLive(f *fixture) {
	life := 20 * time.Millisecond
	f.put("kept", "1", persistence.TTL(life))
	since := map[string]persistence.Revision{"kept": f.put("kept", "2")}
	for ; since["deleted"] == 0; life *= 4 {
		written := f.put("deleted", "1", persistence.TTL(life))
		deleted, err := persistence.Delete(f.Context(), f, "deleted")
		if err != nil {
			f.Fatal(err)
		}
		if deleted > written { // else it had expired, and there was nothing to delete
			since["deleted"] = deleted
		}
	}
	f.put("probe", "1", persistence.TTL(2*life))
	w := f.watch("", 0)
	for expired := ""; expired != "probe"; { // which does so after the others would have
		changes := w.next()
		for _, c := range changes.Changes {
			if !c.Expired {
				continue
			}
			expired = c.Key
			if r, ok := since[c.Key]; ok && changes.Revision > r {
				f.Errorf("%q has expired at revision %d; that time to live ended at %d", c.Key, changes.Revision, r)
			}
		}
	}
	if r := f.get("kept"); string(r.Value) != "2" || !r.Expires.IsZero() {
		f.Errorf("%+v, want the value that was written without a time to live", r)
	}
}

func timeToLiveIsBounded(f *fixture) {
	for _, ttl := range []time.Duration{-1, persistence.MaxTTL + 1, math.MaxInt64, math.MinInt64} {
		if _, err := persistence.Put(f.Context(), f, "a", nil, persistence.TTL(ttl)); !errors.Is(err, persistence.ErrInvalid) {
			f.Errorf("Put with a TTL of %v: %v, want ErrInvalid", ttl, err)
		}
	}
	f.wantNone("a")
	before := time.Now()
	f.put("a", "x", persistence.TTL(persistence.MaxTTL))
	if r := f.get("a"); r.Expires.Before(before.Add(persistence.MaxTTL)) {
		f.Errorf("with the longest time to live it expires at %v", r.Expires)
	}
}
