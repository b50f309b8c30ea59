package discovery

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// newHangingResolver returns a resolver that answers about slow names when answer closes,
// and about all others at once.
func newHangingResolver(t *testing.T, answer <-chan struct{}) *net.Resolver {
	t.Helper()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, request *dns.Msg) {
		question := request.Question[0]
		if strings.HasPrefix(question.Name, "slow") {
			<-answer
		}
		reply := new(dns.Msg).SetReply(request)
		for _, text := range []string{
			"slow.example. 1 IN A 192.0.2.1", "seed.example. 1 IN A 192.0.2.2",
			"_troupe._tcp.example. 1 IN SRV 0 0 7000 slow.example.", "_troupe._tcp.example. 1 IN SRV 0 0 7000 seed.example.",
		} {
			record, err := dns.NewRR(text)
			if err != nil {
				t.Error(err)
			}
			if h := record.Header(); h.Name == question.Name && h.Rrtype == question.Qtype {
				reply.Answer = append(reply.Answer, record)
			}
		}
		_ = w.WriteMsg(reply)
	})
	return serve(t, handler)
}

func TestANameWhoseLookupHangsHidesNoOther(t *testing.T) {
	for name, newFinder := range map[string]func(*net.Resolver) finder{
		"static": func(r *net.Resolver) finder {
			d := Static("slow.example.:7000", "seed.example.:7000", "192.0.2.3:7000")
			d.resolver = r
			return d
		},
		"dns": func(r *net.Resolver) finder { return DNS("_troupe._tcp.example.", WithResolver(r)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := make(chan struct{})
			d := newFinder(newHangingResolver(t, answer))
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			found, err := d.Find(ctx, "cluster")
			if !slices.Contains(found, "192.0.2.2:7000") || slices.Contains(found, "192.0.2.1:7000") || err == nil || !strings.Contains(err.Error(), "slow.example.") {
				t.Errorf("Find = %q, %v", found, err)
			}
			close(answer)
			for !slices.Contains(found, "192.0.2.1:7000") { // the lookup went on meanwhile
				if found, err = d.Find(t.Context(), "cluster"); t.Context().Err() != nil {
					t.Fatal(err)
				}
			}
			if err := d.Withdraw(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWithdrawEndsLookups(t *testing.T) {
	answer := make(chan struct{})
	d := Static("slow.example.:7000")
	d.resolver = newHangingResolver(t, answer)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if found, err := d.Find(ctx, "cluster"); len(found) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Find = %q, %v", found, err)
	}
	if err := d.Withdraw(t.Context()); err != nil {
		t.Error(err)
	}
	close(answer) // TestMain sees goroutines that are left
}

type finder interface {
	Find(ctx context.Context, cluster string) ([]string, error)
	Withdraw(ctx context.Context) error
}
