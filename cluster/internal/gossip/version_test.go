package gossip

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-go/troupe/persistence/version"
)

func speaking(v version.Version, log *lines) func(*Config) {
	return func(c *Config) {
		c.version = v
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
}

func TestAnotherMajorIsRefusedByNameOnBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		var old, other lines
		members := n.cluster(t, 2, speaking(version.One(), &old))
		stranger := n.open(t, "stranger", "10.0.9.9:7000", speaking(version.Version{Major: 2, Minor: 3}, &other))
		for _, pair := range [][2]*testMember{{stranger, members[0]}, {members[0], stranger}} {
			for range 5 {
				got, err := pair[0].Join(t.Context(), []string{pair[1].Self().Address})
				if got != 0 || !errors.Is(err, ErrVersion) {
					t.Fatalf("Join = %d, %v", got, err)
				}
				synctest.Wait()
				for _, part := range []string{`"stranger"`, " 2.3", `"node`, " 1.0", version.Advice} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("nothing of %s in %v", part, err)
					}
				}
			}
		}
		if got := old.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "peer=stranger version=2.3") {
			t.Errorf("the members logged:\n%s", got)
		}
		if got := other.String(); strings.Count(got, "\n") > 2 || !strings.Contains(got, "peer=node") || !strings.Contains(got, "version=1.0") {
			t.Errorf("the stranger logged:\n%s", got)
		}
		pass(time.Minute)
		if len(stranger.Members()) != 1 || len(members[0].Members()) != 2 || len(members[1].Members()) != 2 || len(stranger.events()) != 0 {
			t.Error("they mixed")
		}
	})
}

func TestAHigherMinorIsAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 2)
		later := n.open(t, "later", "10.0.9.9:7000", func(c *Config) { c.version = version.Version{Major: 1, Minor: 4} })
		join(t, later, members[0])
		if err := later.SetCatalog([]byte("new")); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "all see each other, and the catalog", func() bool {
			return members[0].sees(later.Self()) && string(members[1].catalog(later.Self())) == "new" && len(later.Members()) == 3
		})
	})
}

func TestMetadataWithoutAVersionIsThatOfOne(t *testing.T) {
	b := []byte{wireFormat} // as it was before there was a minor
	b = appendBytes(b, metaNode, plainMember.Node)
	b = appendFixed(b, metaIncarnation, plainMember.Incarnation)
	b = appendFixed(b, metaStarted, uint64(plainMember.Started.UnixNano()))
	want := plainMember
	want.Minor = 0
	if m, err := decodeMeta(b, testAddress); err != nil || m != want || metaVersion(b) != version.One() {
		t.Errorf("%v, %v, %v", m, metaVersion(b), err)
	}
	junk := protowire.AppendTag([]byte{7}, 1, protowire.BytesType)
	if v := metaVersion(junk); v != (version.Version{Major: 7}) {
		t.Errorf("what cannot be understood has version %v", v)
	}
}
