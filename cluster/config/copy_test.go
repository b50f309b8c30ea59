package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestWithoutTheStoreANodeStartsWithItsCopy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "settings")
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		kept := n.open("shop", KeepCopy(dir))
		_, err := kept.Put(t.Context(), everything(), By("ada"), Note("<why>"))
		must(t, err)
		synctest.Wait()
		want := kept.Last()
		must(t, kept.Close())
		_, err = n.open("shop").Set(t.Context(), "late", true)
		must(t, err)

		n.fail(errAway)
		d := n.open("shop", KeepCopy(dir))
		if got := d.Last(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		events := watch(t, d)
		<-time.After(time.Minute)
		if len(events) > 0 {
			t.Errorf("%+v", <-events)
		}
		n.fail(nil)
		if e := <-events; e.err != nil || e.event.(Version).Number != 2 {
			t.Errorf("%+v", e)
		}
		synctest.Wait()
		if v, err := d.copies.load(); err != nil || v.Number != 2 {
			t.Errorf("the copy is %+v, %v", v, err)
		}
		files, err := os.ReadDir(dir)
		must(t, err)
		if len(files) != 1 {
			t.Errorf("%v", files)
		}
	})
}

func TestTheStoreGoesBeforeTheCopy(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := newFake(t)
		must(t, newCopyFile(dir, "test", "shop").save(Version{Number: 7, Revision: 7, Values: map[string]any{"a": 1}}))
		if got := n.open("shop", KeepCopy(dir)).Last(); got.Number != 0 {
			t.Errorf("%+v", got)
		}
		synctest.Wait()
		if v, err := newCopyFile(dir, "test", "shop").load(); err != nil || v.Number != 0 || v.Values == nil {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestACopyThatCannotBeKeptIsDoneWithout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	synctest.Test(t, func(t *testing.T) {
		d := newFake(t).open("shop", KeepCopy(file))
		set(t, d, 1)
		synctest.Wait()
		if d.Last().Number != 1 {
			t.Errorf("%+v", d.Last())
		}
	})
}

func TestACopyThatIsNotWholeOrOfAnotherIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	c := newCopyFile(dir, "test", "shop")
	v := Version{Number: 3, Revision: 9, Time: time.Unix(1, 0).UTC(), Author: "ada", Values: map[string]any{"a": int64(1)}}
	must(t, c.save(v))
	if got, err := c.load(); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("%+v, %v", got, err)
	}
	whole, err := os.ReadFile(c.path)
	must(t, err)
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1
		for _, data := range [][]byte{damaged, whole[:i]} {
			if v, err := c.decode(data); err == nil {
				t.Errorf("damaged at byte %d it is %+v", i, v)
			}
		}
	}
	for _, other := range []*copyFile{newCopyFile(dir, "other", "shop"), newCopyFile(dir, "test", "other")} {
		if v, err := other.decode(whole); err == nil {
			t.Errorf("%+v is taken for %+v", v, other)
		}
		if _, err := other.load(); err == nil {
			t.Errorf("%+v is there", other)
		}
	}
}

func FuzzCopy(f *testing.F) {
	c := newCopyFile("", "test", "shop")
	for _, body := range []string{
		`{"cluster":"test","document":"shop","number":1,"revision":2,"record":{"values":{}}}`,
		`{"cluster":"test","document":"shop","number":1}`, `{"cluster":"test","document":"shop"}`, `{}`, ``, `{"number":-1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := c.decode(append([]byte(checksum(body)+"\n"), body...))
		if err != nil {
			return
		}
		if v.Values == nil {
			t.Fatalf("%+v has no values", v)
		}
		data, err := c.encode(v)
		if err != nil {
			return // it has become too large
		}
		w, err := c.decode(data)
		must(t, err)
		if v.Number == 0 {
			return
		}
		if !v.Time.Equal(w.Time) || !reflect.DeepEqual(v.Values, w.Values) || v.Number != w.Number || v.Revision != w.Revision {
			t.Errorf("%+v came back as %+v", v, w)
		}
	})
}
