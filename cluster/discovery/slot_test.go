package discovery

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

func claim(t *testing.T, dir string) *Slot {
	t.Helper()
	slot, err := ClaimSlot(t.Context(), dir, "cluster", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slot.Release() })
	return slot
}

func TestSlotsAreTheLowestFree(t *testing.T) {
	dir := newDir(t)
	a, b := claim(t, dir), claim(t, dir)
	if a.Name() != "host-0" || b.Name() != "host-1" || b.Index() != 1 {
		t.Fatalf("claimed %q and %q", a.Name(), b.Name())
	}
	if err := a.Release(); err != nil {
		t.Fatal(err)
	}
	if again := claim(t, dir); again.Index() != 0 {
		t.Errorf("slot %d was claimed, though 0 was free", again.Index())
	}
}

func TestSlotsClaimedConcurrentlyDiffer(t *testing.T) {
	dir := newDir(t)
	var mu sync.Mutex
	seen := make(map[int]bool)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			slot, err := ClaimSlot(t.Context(), dir, "cluster", "host")
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = slot.Release() })
			mu.Lock()
			defer mu.Unlock()
			if seen[slot.Index()] || slot.Index() >= 20 {
				t.Errorf("slot %d is not one of the 20 lowest, each once", slot.Index())
			}
			seen[slot.Index()] = true
		})
	}
	wait.Wait()
}

func TestSlotOfAKilledProcessComesBackWithItsAddress(t *testing.T) {
	dir := newDir(t)
	process := startHelper(t, dir)
	if slot := claim(t, dir); slot.Index() != 1 || slot.LastAddress() != "" {
		t.Fatalf("claimed slot %d, last at %q", slot.Index(), slot.LastAddress())
	}
	kill(t, process)
	if _, err := Local(dir).Find(t.Context(), "cluster"); err != nil { // sweeps
		t.Fatal(err)
	}
	if slot := claim(t, dir); slot.Index() != 0 || slot.LastAddress() != helperAddress(0) {
		t.Errorf("claimed slot %d, last at %q", slot.Index(), slot.LastAddress())
	}
}

func TestSlotHoldsOneNameForClaimAndAnnouncement(t *testing.T) {
	dir := newDir(t)
	slot, node, other := claim(t, dir), Local(dir), Local(dir)
	if err := node.Announce(t.Context(), "cluster", slot.Name(), helperAddress(0)); !errors.Is(err, ErrNameTaken) {
		t.Fatalf("announced at an address that was not saved: %v", err)
	}
	for _, address := range []string{helperAddress(0), helperAddress(1)} {
		if err := slot.SaveAddress(address); err != nil {
			t.Fatal(err)
		}
		if err := node.Announce(t.Context(), "cluster", slot.Name(), address); err != nil {
			t.Fatal(err)
		}
		mustFind(t, other, address)
		mustFind(t, node)
	}
	if err := node.Withdraw(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustFind(t, other)
	if _, err := ClaimName(t.Context(), dir, "cluster", slot.Name()); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the slot ended with the announcement: %v", err)
	}
}

func TestSlotReleasedTooEarlyDisturbsNoNewHolder(t *testing.T) {
	dir := newDir(t)
	slot, node, next := claim(t, dir), Local(dir), Local(dir)
	if err := slot.SaveAddress(helperAddress(0)); err != nil {
		t.Fatal(err)
	}
	if err := node.Announce(t.Context(), "cluster", slot.Name(), helperAddress(0)); err != nil {
		t.Fatal(err)
	}
	if err := slot.Release(); err != nil {
		t.Fatal(err)
	}
	if err := next.Announce(t.Context(), "cluster", slot.Name(), helperAddress(1)); err != nil {
		t.Fatal(err)
	}
	defer next.Withdraw(context.Background())
	if err := node.Withdraw(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustFind(t, Local(dir), helperAddress(1))
}

func TestSlotReleasedIsOver(t *testing.T) {
	slot := claim(t, newDir(t))
	for range 2 {
		if err := slot.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if err := slot.SaveAddress(helperAddress(0)); !errors.Is(err, ErrReleased) {
		t.Errorf("got %v, want ErrReleased", err)
	}
}

func TestSlotForgetsACorruptAddress(t *testing.T) {
	dir := newDir(t)
	slot := claim(t, dir)
	if err := slot.SaveAddress("nowhere"); !errors.Is(err, ErrBadAddress) {
		t.Errorf("got %v, want ErrBadAddress", err)
	}
	if err := os.WriteFile(slot.folder.file(slot.Name(), lastSuffix), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := slot.Release(); err != nil {
		t.Fatal(err)
	}
	if again := claim(t, dir); again.LastAddress() != "" {
		t.Errorf("LastAddress = %q", again.LastAddress())
	}
}

func TestClaimRefusesBadNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "-a", "a.", "a..b", "ü", "a\x00"} {
		if _, err := ClaimName(t.Context(), newDir(t), "cluster", name); !errors.Is(err, ErrBadName) {
			t.Errorf("ClaimName(%q): got %v, want ErrBadName", name, err)
		}
		if _, err := ClaimName(t.Context(), newDir(t), name, "node"); !errors.Is(err, ErrBadName) {
			t.Errorf("cluster %q: got %v, want ErrBadName", name, err)
		}
	}
}
