package eventlog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog/internal/record"
	"github.com/troupe-go/troupe/persistence"
)

func TestAHeadOfAnotherVersion(t *testing.T) {
	h := head{epoch: 3, writer: 7, number: 2, time: 5, logs: [2]extent{{first: 1, next: 4, bytes: 9}, {first: 1, next: 1}}}
	later := append(h.encode(), "new"...)
	later[0] = 0x31 // 1.3
	if got, err := decodeHead(later); err != nil || got != h {
		t.Errorf("1.3: %+v, %v", got, err)
	}
	if _, err := decodeHead(append(h.encode(), "new"...)); !errors.Is(err, record.ErrMalformed) {
		t.Errorf("1.0 with more than it knows: %v", err)
	}
	other := slices.Clone(h.encode())
	other[0] = 0x12 // 2.1
	if _, err := decodeHead(other); !errors.Is(err, persistence.ErrVersion) || !strings.Contains(err.Error(), "has version 2.1, this program reads 1.x") {
		t.Errorf("2.1: %v", err)
	}
	other[0] = 0
	if _, err := decodeHead(other); !errors.Is(err, record.ErrMalformed) {
		t.Errorf("no version: %v", err)
	}
}
