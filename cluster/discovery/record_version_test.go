package discovery

import (
	"strings"
	"testing"
)

func TestARecordOfAnotherVersion(t *testing.T) {
	for _, known := range []string{
		`{"address":"10.0.0.1:7000"}`, `{"version":"1.0","address":"10.0.0.1:7000"}`, `{"version":"1.9","address":"10.0.0.1:7000","new":[]}`,
	} {
		if address, err := decodeRecord([]byte(known)); err != nil || address != "10.0.0.1:7000" {
			t.Errorf("%s: %s, %v", known, address, err)
		}
	}
	_, err := decodeRecord([]byte(`{"version":"2.0","address":{"udp":1}}`))
	if err == nil || !strings.Contains(err.Error(), "has version 2.0, this program reads 1.x") {
		t.Error(err)
	}
}
