package badger

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// mostMemory is what a store of a million records may make its process hold, with the
// default settings.
const mostMemory = 200 << 20

// TestMillionRecordsStaySmall, with TROUPE_THOROUGH in the environment, has a process of its own write a million records of 100 B,
// one at a time and many together, read some and list all. What counts is the memory that the
// process holds; pages of the files of the store, which the system takes back when it
// needs the room, are reported only.
func TestMillionRecordsStaySmall(t *testing.T) {
	if os.Getenv("TROUPE_THOROUGH") == "" || raceEnabled {
		t.Skip("SKIPPED: it takes a while; set TROUPE_THOROUGH")
	}
	if _, err := os.ReadFile("/proc/self/status"); err != nil {
		t.Skip("SKIPPED: this system does not say how much memory a process has")
	}
	t.Parallel()
	c := startChild(t, "memory", t.TempDir())
	for c.lines.Scan() {
		var what string
		var held, all int64
		if _, err := fmt.Sscan(c.lines.Text(), &what, &held, &all); err != nil {
			t.Fatalf("line %q: %v", c.lines.Text(), err)
		}
		t.Logf("%s: at most %d MiB held, and %d MiB with pages of files", what, held>>20, all>>20)
		if held > mostMemory {
			t.Errorf("%s: the process has held %d MiB, want at most %d", what, held>>20, mostMemory>>20)
		}
	}
	must(t, c.Wait())
}

// memoryPeaks are the most that this process has been seen with: of memory that is not
// that of files, and of all.
type memoryPeaks struct{ held, all int64 }

func (m *memoryPeaks) look() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	for line := range bytes.Lines(status) {
		name, size, _ := bytes.Cut(line, []byte(":"))
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(size), []byte("kB")))), 10, 64); err == nil {
			sizes[string(name)] = n << 10
		}
	}
	m.held = max(m.held, sizes["RssAnon"]) // files in memory, such as in /tmp, count as RssShmem
	m.all = sizes["VmHWM"]
	return nil
}

func (m *memoryPeaks) report(what string) error {
	err := m.look()
	fmt.Println(what, m.held, m.all)
	return err
}

func memoryChild(ctx context.Context, arguments []string) error {
	const records = 1_000_000
	s, err := Open(ctx, Config{Dir: arguments[0]})
	if err != nil {
		return err
	}
	var peaks memoryPeaks
	random := rand.NewChaCha8([32]byte{})
	key := func(i uint64) string { return fmt.Sprintf("key-%08d", i*7919%records) }
	for i, commits := uint64(0), 0; i < records; commits++ {
		var t persistence.Transaction
		t.Unsynced = commits%200 > 0
		for together := 1 + commits%2*98; together > 0 && i < records; together-- {
			value := make([]byte, 100)
			_, _ = random.Read(value)
			t.Then = append(t.Then, persistence.Change{Key: key(i), Value: value})
			i++
		}
		if _, err := s.Commit(ctx, t); err != nil {
			return err
		}
		if commits%50 == 0 {
			if err := peaks.look(); err != nil {
				return err
			}
		}
	}
	if err := peaks.report("written"); err != nil {
		return err
	}
	for range 30_000 {
		if _, err := s.Get(ctx, key(random.Uint64()%records)); err != nil {
			return err
		}
	}
	n := 0
	for after := ""; ; {
		page, err := s.List(ctx, persistence.Query{Limit: 1000, After: after})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		n += len(page)
		after = page[len(page)-1].Key
		if err := peaks.look(); err != nil {
			return err
		}
	}
	if n != records {
		return fmt.Errorf("%d records, want %d", n, records)
	}
	if err := peaks.report("read"); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(ctx, Config{Dir: arguments[0]}); err != nil {
		return err
	}
	if err := peaks.report("opened-again"); err != nil {
		return err
	}
	return s.Close()
}
