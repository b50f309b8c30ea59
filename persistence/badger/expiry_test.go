package badger

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

func TestExpiredRecordIsGoneBeforeItIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{})
		defer s.Close()
		s.stop() // nobody deletes it
		s.running.Wait()
		r := put(t, s, "a", "1", persistence.TTL(time.Minute))
		<-time.After(time.Minute - 1)
		wantValue(t, s, "a", "1")
		<-time.After(1)
		wantNone(t, s, "a")
		if records, err := s.List(t.Context(), persistence.Query{}); err != nil || len(records) > 0 {
			t.Errorf("List has %v, %v", records, err)
		}
		if _, err := persistence.CompareAndSwap(t.Context(), s, "a", r, nil); !errors.Is(err, persistence.ErrConflict) {
			t.Errorf("CompareAndSwap of the expired revision: %v, want ErrConflict", err)
		}
		if got, err := persistence.Delete(t.Context(), s, "a"); err != nil || got != r {
			t.Errorf("Delete of what has expired: %d, %v, want that it changes nothing", got, err)
		}
		if _, err := persistence.CompareAndSwap(t.Context(), s, "a", 0, []byte("2")); err != nil {
			t.Errorf("CompareAndSwap of nothing: %v", err)
		}
		wantValue(t, s, "a", "2")
	})
}

func TestRecordsExpireInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{})
		defer s.Close()
		start := time.Now()
		for _, i := range []int{3, 1, 2, 5, 4} {
			put(t, s, fmt.Sprint(i), "", persistence.TTL(time.Duration(i)*time.Hour))
		}
		expired := 0
		for c, err := range s.Watch(t.Context(), "", 5) {
			must(t, err)
			expired++
			if len(c.Changes) != 1 || !c.Changes[0].Expired || c.Changes[0].Key != fmt.Sprint(expired) {
				t.Errorf("%+v, want that %d has expired", c, expired)
			}
			if took := time.Since(start); took != time.Duration(expired)*time.Hour {
				t.Errorf("%d expired after %v", expired, took)
			}
			if expired == 5 {
				break
			}
		}
		if st := s.Stats(); st.Expired != 5 {
			t.Errorf("Stats counts %d", st.Expired)
		}
	})
}

func TestManyRecordsExpireTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		s := openStore(t, Config{MemTableSize: 1 << 20})
		defer s.Close()
		for i := range n {
			put(t, s, fmt.Sprint(i), "", persistence.TTL(time.Hour-time.Since(time.Now())))
		}
		put(t, s, "renewed", "", persistence.TTL(time.Minute))
		put(t, s, "renewed", "", persistence.TTL(2*time.Hour))
		<-time.After(time.Hour)
		synctest.Wait()
		if st := s.Stats(); st.Expired != n {
			t.Errorf("%d have expired, want %d", st.Expired, n)
		}
		records, err := s.List(t.Context(), persistence.Query{})
		if err != nil || len(records) != 1 || records[0].Key != "renewed" {
			t.Errorf("%v, %v are left, want the one that was renewed", records, err)
		}
	})
}

func TestExpiryGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{Dir: t.TempDir()}
		s := openStore(t, c)
		put(t, s, "during", "", persistence.TTL(time.Minute))
		r := put(t, s, "later", "", persistence.TTL(time.Hour))
		must(t, s.Close())
		<-time.After(30 * time.Minute)
		s = openStore(t, c)
		defer s.Close()
		wantNone(t, s, "during")
		want := []string{"during", "later"}
		for c, err := range s.Watch(t.Context(), "", r) {
			must(t, err)
			if c.Changes[0].Key != want[0] || !c.Changes[0].Expired {
				t.Errorf("%+v, want that %s has expired", c, want[0])
			}
			if want = want[1:]; len(want) == 0 {
				break
			}
		}
	})
}

func TestOverlongTimeToLiveIsInvalid(t *testing.T) {
	s := openStore(t, Config{})
	if _, err := persistence.Put(t.Context(), s, "a", nil, persistence.TTL(200*365*24*time.Hour)); !errors.Is(err, persistence.ErrInvalid) {
		t.Errorf("Put for 200 years: %v, want ErrInvalid", err)
	}
}
