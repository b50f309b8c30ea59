package docs_test

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// These tables are the architecture. A package may import what its row names and
// nothing else, beside the standard library. When a test here fails, the import is
// what has to go; a new row is a decision, and belongs into a record in docs/adr.
//
// A name that ends in /... stands for the packages below it as well. Rows of rooms
// that are not built yet are kept, so that they start out right.

// rooms says which packages of this module a package may import. Imports run one
// way: each room uses only those above it.
const rooms = `
	mailbox                      <
	security                     <
	settings/internal/document   <
	settings                     < security settings/internal/document
	actor/internal/engine        < mailbox
	actor/internal/testpb        <
	actor/contain                <
	actor                        < mailbox security settings actor/internal/engine actor/contain
	persistence/version          <
	persistence                  < mailbox security settings actor actor/contain persistence/version
	persistence/badger/internal/badgerfile < persistence
	persistence/badger           < settings actor persistence persistence/version persistence/badger/internal/badgerfile

	cluster/discovery            < persistence/version
	cluster/internal/port        <
	cluster/internal/wirepb      <
	cluster/internal/wire        <
	cluster/internal/catalogpb   <
	cluster/internal/catalog     < cluster/internal/catalogpb
	cluster/internal/gossip      < persistence/version
	cluster/internal/transport   < cluster/internal/wire persistence/version
	cluster/internal/consensuspb <
	cluster/internal/consensus/stopwatch <
	cluster/internal/consensus/raftlog < persistence persistence/badger cluster/internal/consensuspb cluster/internal/consensus/stopwatch
	cluster/internal/consensus/spool <
	cluster/internal/consensus/snapshot < persistence persistence/badger cluster/internal/consensuspb cluster/internal/consensus/raftlog cluster/internal/consensus/spool
	cluster/internal/consensus/link < persistence/version cluster/internal/consensuspb cluster/internal/consensus/spool
	cluster/internal/consensus   < actor persistence persistence/badger persistence/version cluster/internal/consensuspb cluster/internal/consensus/...
	cluster/internal/placement   <
	cluster                      < mailbox security settings actor actor/contain persistence persistence/badger persistence/version cluster/discovery cluster/internal/...

	cluster/lock                 < mailbox security settings actor persistence cluster
	cluster/topic/internal/eventlog/internal/record < persistence persistence/version
	cluster/topic/internal/eventlog < actor persistence persistence/version cluster/topic/internal/eventlog/internal/record
	cluster/topic                < mailbox security settings actor persistence cluster cluster/topic/internal/eventlog
	cluster/virtual              < mailbox security settings actor persistence cluster
	cluster/config               < mailbox security settings actor actor/contain persistence persistence/version cluster
	cluster/gateway              < mailbox security settings actor persistence cluster

	mailbox/queuetest            < mailbox
	settings/sourcetest          < settings
	security/authorizertest      < security
	actor/codectest              < actor
	actor/actortest              < mailbox actor
	persistence/storetest        < persistence
	cluster/networktest          < cluster
	cluster/discoverytest        < cluster
	cluster/balancertest         < cluster
	cluster/clustertest          < security actor cluster cluster/discovery
	cluster/internal/chaos       < actor persistence cluster cluster/lock cluster/topic cluster/virtual
	cluster/internal/e2e         < security actor persistence cluster cluster/discovery cluster/lock cluster/virtual cluster/internal/chaos

	demo/...                     < mailbox security settings actor persistence persistence/badger cluster cluster/discovery cluster/lock cluster/topic cluster/virtual cluster/config cluster/gateway demo/...
	docs                         <
`

// testRooms is what the tests of a package may import beside its row in rooms. All
// may import the package itself, and those of a package Xtest what it is for.
const testRooms = `
	mailbox                      < mailbox/queuetest
	settings                     < settings/sourcetest
	security                     < security/authorizertest
	actor                        < actor/actortest actor/codectest actor/internal/testpb
	persistence                  < persistence/badger actor/actortest
	persistence/badger           < persistence/storetest actor/actortest
	cluster/discovery            < cluster cluster/discoverytest
	cluster/internal/wire        < cluster/internal/wirepb
	cluster/internal/port        < cluster/clustertest
	cluster/internal/gossip      < cluster/clustertest security
	cluster/internal/transport   < cluster/clustertest cluster/internal/wirepb security
	cluster/internal/consensus   < cluster/clustertest persistence/storetest
	cluster                      < cluster/clustertest persistence/storetest cluster/networktest cluster/discoverytest cluster/balancertest
	cluster/networktest          < cluster/clustertest
	cluster/clustertest          < cluster/networktest
	cluster/internal/chaos       < cluster/clustertest
	cluster/lock                 < cluster/clustertest persistence/badger
	cluster/topic/internal/eventlog < persistence/badger
	cluster/topic                < cluster/clustertest
	cluster/virtual              < cluster/clustertest persistence/badger
	cluster/config               < cluster/clustertest persistence/badger
	cluster/gateway              < cluster/clustertest
	demo/...                     < cluster/clustertest actor/actortest
`

// modules says which packages may import a package of another module: its owners.
// What is not named is nobody's, such as protoactor's remote and cluster.
const modules = `
	github.com/asynkron/protoactor-go/actor        < actor/internal/engine
	github.com/asynkron/protoactor-go/eventstream  < actor/internal/engine
	github.com/ugorji/go/codec                     < actor
	google.golang.org/protobuf/...                 < actor actor/internal/testpb cluster/internal/... cluster/gateway demo/...
	google.golang.org/grpc/...                     < cluster/internal/transport cluster/gateway
	google.golang.org/grpc/credentials             < cluster cluster/internal/transport cluster/gateway
	github.com/hashicorp/memberlist                < cluster/internal/gossip
	github.com/hashicorp/raft/...                  < cluster/internal/consensus/...
	github.com/hashicorp/raft-autopilot            < cluster/internal/consensus
	github.com/hashicorp/go-hclog                  < cluster/internal/consensus
	github.com/hashicorp/mdns                      < cluster/discovery
	github.com/miekg/dns                           < cluster/discovery
	golang.org/x/net/ipv4                          < cluster/discovery
	golang.org/x/net/ipv6                          < cluster/discovery
	github.com/dgraph-io/badger/v4/...             < persistence/badger/...
	github.com/dgraph-io/ristretto/v2/...          < persistence/badger/...
	github.com/knadh/koanf/v2                      < settings settings/sourcetest
	github.com/fsnotify/fsnotify                   < settings
	github.com/go-playground/validator/v10         < settings
	github.com/pelletier/go-toml/v2/...            < settings/internal/document
	go.yaml.in/yaml/v3                             < settings settings/internal/document
	github.com/agnivade/levenshtein                < settings
	github.com/dustin/go-humanize                  < settings
	github.com/anishathalye/porcupine              < persistence/storetest cluster/internal/chaos
	github.com/gofrs/flock                         < persistence/badger cluster/discovery
	golang.org/x/crypto/argon2                     < security
	github.com/cenkalti/backoff/v5                 < cluster
	github.com/cespare/xxhash/v2                   < cluster
`

// testModules is modules for tests, beside what the package itself may import.
const testModules = `
	go.uber.org/goleak                             < mailbox/... security/... settings/... actor/... persistence/... cluster/... demo/...
	github.com/anishathalye/porcupine              < persistence/... cluster/...
	github.com/knadh/koanf/...                     < settings/...
	go.yaml.in/yaml/v3                             < demo/deploy cluster/internal/e2e
	google.golang.org/grpc/...                     < cluster cluster/clustertest
	google.golang.org/protobuf/...                 < cluster cluster/clustertest
`

// topLevel is what may lie in the root of the repository, beside dotfiles.
const topLevel = `go.mod go.sum actor cluster mailbox persistence settings security
	demo docs findings README.md LICENSE CHANGELOG.md`

const modulePath = "github.com/troupe-go/troupe"

func TestImportsRunOneWay(t *testing.T) {
	rooms, testRooms := parseTable(t, rooms), parseTable(t, testRooms)
	for _, p := range loadTree(t).packages() {
		row, known := rooms.find(p.path)
		if !known {
			t.Errorf("package %s has no room: give it a row in the table rooms of docs/layout_test.go", p.path)
			continue
		}
		extra, _ := testRooms.find(p.path)
		forTests := slices.Concat(row, extra, []string{p.path}, subjectOf(p.path))
		for _, i := range p.imports {
			target, ours := strings.CutPrefix(i.path, modulePath+"/")
			switch {
			case !ours:
			case !i.test && !matchesAny(row, target):
				t.Errorf("%s: package %s may not import %s: its row in the table rooms allows [%s]", i.file, p.path, target, strings.Join(row, " "))
			case i.test && !matchesAny(forTests, target):
				t.Errorf("%s: the tests of %s may not import %s: its rows in the tables rooms and testRooms allow [%s]", i.file, p.path, target, strings.Join(forTests, " "))
			}
		}
	}
}

func TestOtherModulesAreImportedByTheirOwnersOnly(t *testing.T) {
	modules, testModules := parseTable(t, modules), parseTable(t, testModules)
	for _, p := range loadTree(t).packages() {
		for _, i := range p.imports {
			if isStandard(i.path) || i.path == modulePath || strings.HasPrefix(i.path, modulePath+"/") {
				continue
			}
			owners, known := modules.find(i.path)
			if i.test {
				more, alsoKnown := testModules.find(i.path)
				owners, known = slices.Concat(owners, more), known || alsoKnown
			}
			switch {
			case !known:
				t.Errorf("%s: nobody may import %s: the tables modules and testModules do not name it", i.file, i.path)
			case !matchesAny(owners, p.path):
				t.Errorf("%s: package %s may not import %s: it belongs to [%s]; use what that offers", i.file, p.path, i.path, strings.Join(owners, " "))
			}
		}
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	allowed := strings.Fields(topLevel)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s: the top level is fixed; put it into one of the rooms", e.Name())
		}
	}
}

func TestTablesDecide(t *testing.T) {
	rules := parseTable(t, `
		a/...   < x y/...
		a/b     < z
	`)
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"a", "x", true},
		{"a/c", "x", true},
		{"a/c", "x/1", false},
		{"a/c", "y", true},
		{"a/c", "y/1", true},
		{"a/b", "x", false}, // the longest row counts
		{"a/b", "z", true},
		{"ab", "x", false},
	} {
		row, _ := rules.find(c.from)
		if got := matchesAny(row, c.to); got != c.want {
			t.Errorf("may %s import %s: got %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// subjectOf returns the package that a conformance suite or harness is for.
func subjectOf(p string) []string {
	if strings.HasSuffix(path.Base(p), "test") {
		return []string{path.Dir(p)}
	}
	return nil
}

// table maps patterns to the patterns in their rows.
type table map[string][]string

func parseTable(t *testing.T, text string) table {
	t.Helper()
	rows, err := readTable(text)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func readTable(text string) (table, error) {
	rows := make(table)
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, row, found := strings.Cut(line, "<")
		name = strings.TrimSpace(name)
		if _, twice := rows[name]; !found || twice {
			return nil, fmt.Errorf("the row %q is malformed or a second one", strings.TrimSpace(line))
		}
		rows[name] = strings.Fields(row)
	}
	return rows, nil
}

// find returns the row of the longest pattern that matches name.
func (rows table) find(name string) (row []string, known bool) {
	patterns := slices.SortedFunc(maps.Keys(rows), func(a, b string) int { return len(b) - len(a) })
	if _, exact := rows[name]; exact {
		return rows[name], true
	}
	for _, p := range patterns {
		if matches(p, name) {
			return rows[p], true
		}
	}
	return nil, false
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

func matches(pattern, name string) bool {
	prefix, subtree := strings.CutSuffix(pattern, "/...")
	return name == prefix || subtree && strings.HasPrefix(name, prefix+"/")
}

// isStandard reports whether an import path is of the standard library: other
// modules begin with a host name.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}
