package badger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// Files of a store are damaged, one at a time: a bit flips, or the end is missing. Then
// opening the store or reading it either says so, and names the file, or gives exactly
// what was written. A process of its own looks, since Badger ends it on some damage.

const damageKey = "0123456789abcdef0123456789abcdef"

// damageRounds is how often each store is damaged; TROUPE_DAMAGE_ROUNDS sets it. A round
// does the same whenever it is run, as far as Badger's files are the same:
// TROUPE_DAMAGE_SEED makes it do something else.
func damageRounds(t *testing.T) (rounds int, seed uint64) {
	rounds = 28
	if testing.Short() {
		rounds = 7
	}
	for name, set := range map[string]func(n int){
		"TROUPE_DAMAGE_ROUNDS": func(n int) { rounds = n },
		"TROUPE_DAMAGE_SEED":   func(n int) { seed = uint64(n) },
	} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			must(t, err)
			set(n)
		}
	}
	return rounds, seed
}

func TestDamageIsNoticed(t *testing.T) {
	for _, variant := range []struct{ name, end, key string }{
		{"AfterClose", "close", ""},
		{"AfterKill", "kill", ""},
		{"Encrypted", "kill", damageKey},
	} {
		t.Run(variant.name, func(t *testing.T) {
			t.Parallel()
			intact := t.TempDir()
			want := fillForDamage(t, intact, variant.end, variant.key)
			kinds := damageable(t, intact)
			rounds, seed := damageRounds(t)
			look := startLooking(t, variant.key)
			outcomes := map[string]int{}
			for round := range rounds {
				dir := filepath.Join(t.TempDir(), "store")
				must(t, copyStore(intact, dir))
				random := rand.New(rand.NewPCG(seed, uint64(round)))
				kind := kinds[round%len(kinds)] // each as often, however many there are of it
				name := kind[random.IntN(len(kind))]
				what := fmt.Sprintf("round %d: %s: %s", round, name, damage(t, filepath.Join(dir, name), random))
				found := look(dir)
				switch {
				case found.Failure == "" && maps.Equal(found.Contents, want):
					outcomes["no harm"]++
				case found.Failure == "":
					t.Errorf("%s: it goes unnoticed: %d records, want %d", what, len(found.Contents), len(want))
				case !found.Corrupt && name != badger.KeyRegistryFileName: // it looks like another key
					t.Errorf("%s: %s, want ErrCorrupt", what, found.Failure)
				case !strings.Contains(found.Failure, filepath.Join(dir, name)):
					t.Errorf("%s: %s, want one that names the file", what, found.Failure)
				default:
					outcomes["error that names the file"]++
				}
				must(t, os.RemoveAll(dir))
			}
			t.Logf("%v", outcomes)
		})
	}
}

// damageable returns the names of the files that have something in them, by kind.
func damageable(t *testing.T, dir string) [][]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	kinds := map[string][]string{}
	for _, e := range entries {
		kind := filepath.Ext(e.Name())
		if kind == "" {
			kind = e.Name()
		}
		if info, err := e.Info(); err == nil && info.Size() > 0 {
			kinds[kind] = append(kinds[kind], e.Name())
		}
	}
	var out [][]string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, kinds[kind])
	}
	if want := []string{"DISCARD", "KEYREGISTRY", "MANIFEST", ".sst", "STORE", ".vlog"}; len(out) < len(want) {
		t.Fatalf("the store has files of the kinds %q, want also %q", slices.Sorted(maps.Keys(kinds)), want)
	}
	return out
}

// damage spoils a file.
func damage(t *testing.T, path string, random *rand.Rand) (what string) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	used := len(bytes.TrimRight(content, "\x00")) // the rest is allocated ahead
	if used == 0 {
		used = len(content)
	}
	at := random.IntN(used)
	if random.IntN(2) == 0 {
		must(t, os.Truncate(path, int64(at)))
		return fmt.Sprintf("an end at byte %d of %d", at, used)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{content[at] ^ 1<<random.IntN(8)}, int64(at))
	must(t, errors.Join(err, f.Close()))
	return fmt.Sprintf("a flipped bit in byte %d of %d", at, used)
}

// copyStore copies the files of a store, without what is allocated ahead in them.
func copyStore(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		path := filepath.Join(to, e.Name())
		if err := os.WriteFile(path, bytes.TrimRight(content, "\x00"), 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, int64(len(content))); err != nil {
			return err
		}
	}
	return nil
}

// fillForDamage has a process write a store, and end, and returns what is in it.
func fillForDamage(t *testing.T, dir, end, key string) map[string]string {
	t.Helper()
	c := startChild(t, "fill", dir, end, key)
	var contents map[string]string
	for c.lines.Scan() {
		if err := json.Unmarshal(c.lines.Bytes(), &contents); err != nil {
			t.Fatal(err)
		}
		if end == "kill" {
			must(t, c.Process.Kill())
		}
	}
	_ = c.Wait()
	if len(contents) == 0 {
		t.Fatal("the process that fills the store failed")
	}
	return contents
}

func damageConfig(dir, key string) Config {
	return Config{Dir: dir, MemTableSize: 1 << 20, MinFree: 1, EncryptionKey: []byte(key)}
}

func fillChild(ctx context.Context, arguments []string) error {
	s, err := Open(ctx, damageConfig(arguments[0], arguments[2]))
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1200 {
		value := make([]byte, random.IntN(2000))
		if i%40 == 0 {
			value = make([]byte, 40_000+random.IntN(60_000))
		}
		for i := range value {
			value[i] = byte(random.Uint32())
		}
		t := persistence.Transaction{Unsynced: i%10 > 0}
		t.Then = append(t.Then, persistence.Change{Key: fmt.Sprintf("key-%04d", random.IntN(500)), Value: value})
		if i%7 == 0 && len(value) < 2000 {
			t.Then = append(t.Then, persistence.Change{Key: fmt.Sprintf("gone-%04d", random.IntN(500)), Delete: i%2 == 0, Value: value})
		}
		if _, err := s.Commit(ctx, t); err != nil {
			return err
		}
	}
	if _, err := persistence.Put(ctx, s, "last", nil); err != nil {
		return err
	}
	contents, err := dump(ctx, s)
	if err != nil {
		return err
	}
	if arguments[1] == "close" {
		if err := s.Close(); err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(contents)
	}
	if err := json.NewEncoder(os.Stdout).Encode(contents); err != nil {
		return err
	}
	<-ctx.Done() // until it is killed
	return nil
}

// dump reads everything, in both ways.
func dump(ctx context.Context, s *Store) (map[string]string, error) {
	records, err := s.List(ctx, persistence.Query{})
	if err != nil {
		return nil, err
	}
	contents := map[string]string{}
	for _, r := range records {
		contents[r.Key] = fmt.Sprint(r.Revision, len(r.Value), crc32.Checksum(r.Value, castagnoli()))
		one, err := s.Get(ctx, r.Key)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(one.Value, r.Value) {
			return nil, fmt.Errorf("Get and List differ on %q", r.Key)
		}
	}
	return contents, nil
}

// finding is what a process has found in a store.
type finding struct {
	Failure  string
	Corrupt  bool
	Contents map[string]string
}

// startLooking starts a process that looks at one store after another. It must not end
// before it is told to.
func startLooking(t *testing.T, key string) (look func(dir string) finding) {
	t.Helper()
	cmd := childCommand("look", key)
	dirs, err := cmd.StdinPipe()
	must(t, err)
	c := start(t, cmd)
	t.Cleanup(func() {
		must(t, dirs.Close())
		if err := c.Wait(); err != nil {
			t.Errorf("the process that looks at the stores: %v", err)
		}
	})
	return func(dir string) (found finding) {
		_, err := fmt.Fprintln(dirs, dir)
		must(t, err)
		if !c.lines.Scan() {
			t.Fatalf("%s: the process that opened it has ended", dir)
		}
		must(t, json.Unmarshal(c.lines.Bytes(), &found))
		return found
	}
}

func lookChild(ctx context.Context, arguments []string) error {
	for {
		var dir string
		if n, _ := fmt.Scanln(&dir); n == 0 {
			return nil
		}
		var found finding
		s, err := Open(ctx, damageConfig(dir, arguments[0]))
		if err == nil {
			found.Contents, err = dump(ctx, s)
			if closeErr := s.Close(); err == nil {
				err = closeErr
			}
		}
		if err != nil {
			found.Failure, found.Corrupt = err.Error(), errors.Is(err, persistence.ErrCorrupt)
		}
		if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
			return err
		}
	}
}
