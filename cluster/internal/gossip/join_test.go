package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStrangersNeverMix(t *testing.T) {
	otherKey := func(c *Config) { c.Key = bytes.Repeat([]byte{8}, KeyLen) }
	otherCluster := func(c *Config) { c.Cluster = "other" }
	for name, change := range map[string]func(*Config){"key": otherKey, "cluster": otherCluster} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newTestNetwork()
				members := n.cluster(t, 2)
				stranger := n.open(t, "stranger", "10.0.9.9:7000", change)
				for _, pair := range [][2]*testMember{{stranger, members[0]}, {members[0], stranger}} {
					got, err := pair[0].Join(t.Context(), []string{pair[1].Self().Address})
					if got != 0 || !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), pair[1].Self().Address) {
						t.Errorf("Join = %d, %v", got, err)
					}
				}
				pass(time.Minute)
				if len(stranger.Members()) != 1 || len(members[0].Members()) != 2 || len(stranger.events()) != 0 {
					t.Error("they mixed")
				}
			})
		})
	}
}

func TestAnAddressThatLeadsBackIsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		m := n.open(t, "a", "10.0.0.1:7000", func(c *Config) {
			dial := c.Dial
			c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				if address != "10.0.0.9:7000" {
					return dial(ctx, address)
				}
				conn, err := dial(ctx, "10.0.0.1:7000")
				return Loop{conn}, err
			}
		})
		if got, err := m.Join(t.Context(), []string{"10.0.0.9:7000"}); got != 0 || err != nil {
			t.Errorf("Join = %d, %v", got, err)
		}
		// It hides nothing of the others.
		if got, err := m.Join(t.Context(), []string{"10.0.0.9:7000", "10.0.0.2:7000"}); got != 0 || err == nil {
			t.Errorf("Join = %d, %v", got, err)
		}
	})
}

func TestJoinReportsEachAddressThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		m := n.open(t, "a", "10.0.0.1:7000")
		gone := n.listen(t, "10.0.0.2:7000")
		gone.close()
		bad := []string{"", "example.org:7000", "10.0.0.3", "10.0.0.3:0", "0.0.0.0:7000", "[fe80::1%eth0]:7000", "10.0.0.2:7000"}
		got, err := m.Join(t.Context(), bad)
		if got != 0 || err == nil {
			t.Fatalf("Join = %d, %v", got, err)
		}
		for _, address := range bad {
			if !strings.Contains(err.Error(), "join "+address+":") {
				t.Errorf("nothing about %q in %v", address, err)
			}
		}
		if op := new(net.OpError); !errors.As(err, &op) {
			t.Errorf("the error of Dial is not wrapped: %v", err)
		}
	})
}

func TestJoinSucceedsWhenOneAddressAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 2)
		start := time.Now()
		got, err := members[0].Join(t.Context(), []string{"nonsense", "10.9.9.9:1", members[1].Self().Address, members[1].Self().Address})
		if got != 1 || err != nil {
			t.Errorf("Join = %d, %v", got, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAddressesThatDoNotAnswerHideNoneThatDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		late, live := n.open(t, "late", "10.0.0.1:7000"), n.open(t, "live", "10.0.0.2:7000")
		var contacts []string
		for i := range 100 { // they are nowhere: nothing comes back
			contacts = append(contacts, fmt.Sprintf("10.9.9.%d:7000", i+1))
		}
		got, err := late.Join(withTimeout(t, 5*time.Second), append(contacts, live.Self().Address))
		if got != 1 || err != nil {
			t.Errorf("Join = %d, %v", got, err)
		}
		if !late.sees(live.Self()) {
			t.Errorf("it sees %v", late.Members())
		}
	})
}

func TestJoiningOneselfIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestNetwork().open(t, "a", "10.0.0.1:7000")
		for _, addresses := range [][]string{nil, {m.Self().Address}} {
			if got, err := m.Join(t.Context(), addresses); got != 0 || err != nil {
				t.Errorf("Join(%v) = %d, %v", addresses, got, err)
			}
		}
	})
}

func TestJoinEndsWithItsContext(t *testing.T) {
	silent := func(t *testing.T, n *testNetwork) string { // accepts and says nothing
		h := n.listen(t, "10.0.0.2:7000")
		go func() {
			if c, err := h.Accept(); err == nil {
				<-h.closed
				_ = c.Close()
			}
		}()
		return h.address
	}
	unreachable := func(*testing.T, *testNetwork) string { return "10.9.9.9:7000" }
	for name, peer := range map[string]func(*testing.T, *testNetwork) string{"silent": silent, "unreachable": unreachable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newTestNetwork()
				m := n.open(t, "a", "10.0.0.1:7000")
				address := peer(t, n)
				start := time.Now()
				_, err := m.Join(withTimeout(t, time.Second), []string{address})
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				if _, err := m.Join(t.Context(), []string{address}); err == nil {
					t.Error("it joined nobody")
				}
			})
		})
	}
}

func TestCloseEndsAJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestNetwork().open(t, "a", "10.0.0.1:7000")
		done := make(chan error)
		go func() {
			_, err := m.Join(context.Background(), []string{"10.9.9.9:7000"})
			done <- err
		}()
		synctest.Wait()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("Join = %v", err)
		}
		if _, err := m.Join(context.Background(), []string{"10.9.9.9:7000"}); !errors.Is(err, ErrClosed) {
			t.Errorf("Join after Close = %v", err)
		}
	})
}
