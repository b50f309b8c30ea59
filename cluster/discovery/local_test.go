package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

func mustFind(t *testing.T, d *LocalDiscovery, want ...string) {
	t.Helper()
	found, err := d.Find(t.Context(), "cluster")
	slices.Sort(found)
	if err != nil || !slices.Equal(found, want) {
		t.Fatalf("Find = %q, %v; want %q", found, err, want)
	}
}

func TestLocalProcessesFindEachOtherUntilKilled(t *testing.T) {
	dir := newDir(t)
	first, second := startHelper(t, dir), startHelper(t, dir)
	d := Local(dir)
	mustFind(t, d, helperAddress(0), helperAddress(1))
	kill(t, first)
	mustFind(t, d, helperAddress(1))
	kill(t, second)
	mustFind(t, d)
	files, err := filepath.Glob(filepath.Join(dir, "cluster", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) != guardFile && !strings.HasSuffix(file, lastSuffix) {
			t.Errorf("the dead left %s", file)
		}
	}
}

func TestLocalOfTwoStartingAtOnceOneSeesTheOther(t *testing.T) {
	for range 50 {
		dir := newDir(t)
		nodes := []*LocalDiscovery{Local(dir), Local(dir)}
		found := make([][]string, len(nodes))
		var wait sync.WaitGroup
		for i, d := range nodes {
			wait.Go(func() {
				if err := d.Announce(t.Context(), "cluster", fmt.Sprint("node", i), helperAddress(i)); err != nil {
					t.Errorf("Announce: %v", err)
				}
				var err error
				if found[i], err = d.Find(t.Context(), "cluster"); err != nil {
					t.Errorf("Find: %v", err)
				}
			})
		}
		wait.Wait()
		if len(found[0])+len(found[1]) == 0 {
			t.Fatal("neither node saw the other")
		}
		for _, d := range nodes {
			if err := d.Withdraw(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLocalHundredNodesAnnounceConcurrently(t *testing.T) {
	dir := newDir(t)
	nodes := make([]*LocalDiscovery, 100)
	var wait sync.WaitGroup
	for i := range nodes {
		nodes[i] = Local(dir)
		wait.Go(func() {
			if err := nodes[i].Announce(t.Context(), "cluster", fmt.Sprint("node", i), helperAddress(i)); err != nil {
				t.Errorf("Announce: %v", err)
			}
			if _, err := nodes[i].Find(t.Context(), "cluster"); err != nil {
				t.Errorf("Find: %v", err)
			}
		})
	}
	wait.Wait()
	for _, d := range nodes {
		if found, err := d.Find(t.Context(), "cluster"); err != nil || len(found) != len(nodes)-1 {
			t.Errorf("found %d of %d others: %v", len(found), len(nodes)-1, err)
		}
	}
	for _, d := range nodes {
		if err := d.Withdraw(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// die leaves the files of a node whose process was killed.
func die(t *testing.T, dir, node, address string) {
	t.Helper()
	f, err := openFolder(dir, "cluster")
	if err != nil {
		t.Fatal(err)
	}
	release, err := f.seize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	lock, err := f.claim(node)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.write(node, addressSuffix, address), lock.Unlock()); err != nil {
		t.Fatal(err)
	}
}

func TestLocalCleanupNeverRemovesANewHolder(t *testing.T) {
	dir := newDir(t)
	finders := []*LocalDiscovery{Local(dir), Local(dir)}
	for range 100 {
		die(t, dir, "node", helperAddress(1))
		reborn := Local(dir)
		var wait sync.WaitGroup
		for _, d := range finders {
			wait.Go(func() {
				found, err := d.Find(t.Context(), "cluster")
				if err != nil || slices.Contains(found, helperAddress(1)) {
					t.Errorf("Find = %q, %v: the dead were found", found, err)
				}
			})
		}
		wait.Go(func() {
			if err := reborn.Announce(t.Context(), "cluster", "node", helperAddress(2)); err != nil {
				t.Errorf("Announce: %v", err)
			}
		})
		wait.Wait()
		mustFind(t, finders[0], helperAddress(2))
		if err := reborn.Withdraw(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLocalSkipsForeignFilesAndLogsThemOnce(t *testing.T) {
	dir := newDir(t)
	node := Local(dir)
	if err := node.Announce(t.Context(), "cluster", "good", helperAddress(0)); err != nil {
		t.Fatal(err)
	}
	defer node.Withdraw(context.Background())
	f, err := existingFolder(dir, "cluster")
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"empty":   nil,
		"huge":    bytes.Repeat([]byte(" "), 1<<20),
		"nojson":  []byte("\x00\xff"),
		"badaddr": []byte(`{"address":"nowhere"}`),
	}
	for name, data := range bad {
		slot, err := ClaimName(t.Context(), dir, "cluster", name)
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Release()
		if err := os.WriteFile(f.file(name, addressSuffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(f.file("folder", addressSuffix), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.file("folder", lockSuffix), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.path, "-.addr"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	d := Local(dir, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	mustFind(t, d, helperAddress(0))
	mustFind(t, d, helperAddress(0))
	if lines := strings.Count(log.String(), "\n"); lines != len(bad) {
		t.Errorf("%d lines logged, want %d:\n%s", lines, len(bad), log.String())
	}
}

func TestLocalRefusesUnsafeFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no owners and modes on Windows")
	}
	real := newDir(t)
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	linked := newDir(t)
	if err := os.Symlink(real, linked); err != nil {
		t.Fatal(err)
	}
	open := newDir(t)
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	dirs := []string{linked, open}
	if os.Geteuid() == 0 {
		foreign := newDir(t)
		if err := errors.Join(os.Mkdir(foreign, 0o700), os.Chown(foreign, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, foreign)
	}
	for _, dir := range dirs {
		if err := Local(dir).Announce(t.Context(), "cluster", "node", helperAddress(0)); !errors.Is(err, ErrUnsafeFolder) {
			t.Errorf("Announce: got %v, want ErrUnsafeFolder", err)
		}
		if _, err := Local(dir).Find(t.Context(), "cluster"); !errors.Is(err, ErrUnsafeFolder) {
			t.Errorf("Find: got %v, want ErrUnsafeFolder", err)
		}
	}
	if entries, err := os.ReadDir(real); err != nil || len(entries) != 0 {
		t.Errorf("the linked folder was written to: %v, %v", entries, err)
	}
}

func TestLocalRefusesANameAnotherNodeHas(t *testing.T) {
	dir := newDir(t)
	startHelper(t, dir)
	d := Local(dir)
	if err := d.Announce(t.Context(), "cluster", "host-0", "127.0.0.1:9"); !errors.Is(err, ErrNameTaken) {
		t.Fatalf("got %v, want ErrNameTaken", err)
	}
	mustFind(t, d, helperAddress(0))
}

func TestLocalEndsWithContextWhileTheFolderIsBusy(t *testing.T) {
	dir := newDir(t)
	f, err := openFolder(dir, "cluster")
	if err != nil {
		t.Fatal(err)
	}
	release, err := f.seize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := Local(dir).Find(ctx, "cluster"); ended <- err }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, seed := range []string{`{"address":"127.0.0.1:7000"}`, `{"address":"[::1]:7000"}`, `{"address":":0"}`, `{}`, "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		address, err := decodeRecord(data)
		if err == nil && checkAddress(address) != nil {
			t.Errorf("accepted address %q", address)
		}
	})
}
