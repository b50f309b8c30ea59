package version

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheSameMajorTalksAtTheLowerMinor(t *testing.T) {
	for _, c := range []struct {
		own, other, common Version
		ok                 bool
	}{
		{One(), One(), One(), true},
		{One(), Version{}, One(), true}, // says nothing
		{Version{}, Version{1, 3}, One(), true},
		{Version{1, 2}, Version{1, 7}, Version{1, 2}, true},
		{Version{1, 7}, Version{1, 2}, Version{1, 2}, true},
		{One(), Version{2, 0}, Version{}, false},
		{Version{2, 0}, Version{}, Version{}, false},
	} {
		common, ok := c.own.With(c.other)
		if ok != c.ok || ok && common != c.common {
			t.Errorf("%s with %s: %s, %v", c.own, c.other, common, ok)
		}
		err := c.own.Reads(c.other, "the file")
		if (err == nil) != c.ok {
			t.Errorf("%s reads %s: %v", c.own, c.other, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "the file has version "+c.other.String()) {
			t.Error(err)
		}
	}
}

func TestAVersionNotSaidIsTheFirst(t *testing.T) {
	var file struct {
		Version Version `json:"version,omitzero"`
	}
	if err := json.Unmarshal([]byte(`{}`), &file); err != nil || file.Version.String() != "1.0" {
		t.Errorf("%v, %v", file.Version, err)
	}
	file.Version = Version{2, 3}
	data, err := json.Marshal(file)
	if err != nil || string(data) != `{"version":"2.3"}` {
		t.Errorf("%s, %v", data, err)
	}
	for _, malformed := range []string{`""`, `"1"`, `"0.1"`, `"1.x"`, `"1.0.0"`, `"+1.0"`, `"01.0"`, `"4294967296.0"`, `2`} {
		if err := json.Unmarshal([]byte(`{"version":`+malformed+`}`), &file); err == nil {
			t.Errorf("%s is a version", malformed)
		}
	}
}

func TestAMismatchIsReportedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		var r Reporter
		m := Mismatch{Node: "a", Own: One(), Peer: "b", Theirs: Version{2, 0}, What: "the link"}
		other := m
		other.Peer = "c"
		for range 3 {
			r.Warn(logger, &m)
			r.Warn(logger, &other)
		}
		const text = `node \"b\" speaks version 2.0 of the link, node \"a\" 1.0: run the same major version on all nodes`
		if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, text) {
			t.Errorf("logged:\n%s", got)
		}
		<-time.After(reportPause)
		r.Warn(logger, &m)
		if got := strings.Count(log.String(), "\n"); got != 3 {
			t.Errorf("%d lines were logged", got)
		}
		for range 2 * maxReported {
			m.Theirs.Minor++
			r.Warn(logger, &m)
		}
		if len(r.last) > maxReported {
			t.Errorf("%d are remembered", len(r.last))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"1.0", "2.13", "", ".", "1.", "4294967295.4294967295"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err == nil && (v.String() != text || v.Major == 0) {
			t.Errorf("%q is %v", text, v)
		}
	})
}
