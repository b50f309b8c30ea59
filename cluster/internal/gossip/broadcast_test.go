package gossip

import (
	"bytes"
	"fmt"
	"testing"
)

func TestBroadcastsAreRepeatedByTheSizeOfTheCluster(t *testing.T) {
	for members, want := range map[int]int{1: 4, 9: 4, 10: 8, 99: 8, 100: 12} {
		q := broadcastQueue{mult: 4, members: members}
		q.add(newCatalog("a", 1, 1, nil))
		var sent int
		for len(q.take(3, packetSize)) == 1 {
			sent++
		}
		if sent != want {
			t.Errorf("%d members: sent %d times, want %d", members, sent, want)
		}
	}
}

func TestTheLeastSentBroadcastGoesFirst(t *testing.T) {
	q := broadcastQueue{mult: 2, members: 1}
	a, b := newCatalog("a", 1, 1, nil), newCatalog("b", 1, 1, nil)
	room := len(a.wire) + 3 // for one
	q.add(a)
	first := q.take(3, room)
	q.add(b)
	second, third := q.take(3, room), q.take(3, room)
	if !bytes.Equal(first[0], a.wire) || !bytes.Equal(second[0], b.wire) || len(third) != 1 {
		t.Error("wrong order")
	}
}

func TestANewerBroadcastReplacesTheFormer(t *testing.T) {
	q := broadcastQueue{mult: 1, members: 1}
	q.add(newCatalog("a", 1, 1, nil))
	newer := newCatalog("a", 1, 2, nil)
	q.add(newer)
	if got := q.take(3, packetSize); len(got) != 1 || !bytes.Equal(got[0], newer.wire) {
		t.Errorf("got %x", got)
	}
}

func TestNoBroadcastIsLostAmongOthersOfItsLength(t *testing.T) {
	q := broadcastQueue{mult: 1, members: 1}
	q.add(newCatalog("node0", 1, 1, nil))
	q.add(newCatalog("node0", 1, 1, nil))
	for i := range 4 {
		q.add(newCatalog(fmt.Sprintf("node%d", i), 1, 1, nil))
	}
	if got := q.take(3, packetSize); len(got) != 4 {
		t.Errorf("%d of 4 broadcasts", len(got))
	}
}

func TestABroadcastThatDoesNotFitWaits(t *testing.T) {
	q := broadcastQueue{mult: 1, members: 1}
	large := newCatalog("large", 1, 1, make([]byte, 500))
	q.add(large)
	q.add(newCatalog("small", 1, 1, nil))
	if got := q.take(3, 100); len(got) != 1 {
		t.Errorf("%d broadcasts", len(got))
	}
	if got := q.take(3, packetSize); len(got) != 1 || !bytes.Equal(got[0], large.wire) {
		t.Error("the large one was lost")
	}
}
