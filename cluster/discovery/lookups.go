package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// lookupPatience is how long one Find waits for lookups.
	lookupPatience = time.Second

	// lookupTimeout bounds a lookup: a resolver may try several servers in turn, each
	// for five seconds.
	lookupTimeout = 30 * time.Second
)

// lookups ask a resolver for each name by itself: one that takes long does not keep the
// others from being found. It goes on, and a later Find has its result.
type lookups struct {
	resolver *net.Resolver

	mu       sync.Mutex
	underway map[string]*lookup // by name
}

type lookup struct {
	waiting   int // the calls of all that wait for it; guarded by the mutex of lookups
	cancel    context.CancelFunc
	done      chan struct{}
	addresses []string
	err       error
}

type lookupFunc func(ctx context.Context, name string) ([]string, error)

// all returns what do returns for the names. The error is about names for which it fails,
// or has not returned yet.
func (l *lookups) all(ctx context.Context, names []string, do lookupFunc) ([]string, error) {
	begun := make([]*lookup, len(names))
	for i, name := range names {
		begun[i] = l.begin(ctx, name, do)
	}
	waiting, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	var found []string
	var failed []error
	for i, name := range names {
		select {
		case <-begun[i].done:
		case <-waiting.Done():
		}
		l.end(name, begun[i])
		select {
		case <-begun[i].done: // also if both happened
			found = append(found, begun[i].addresses...)
			failed = append(failed, begun[i].err)
		default:
			failed = append(failed, fmt.Errorf("discovery: %q is still being resolved, check the DNS server: %w", name, waiting.Err()))
		}
	}
	return found, errors.Join(failed...)
}

// begin returns the lookup of a name that is under way, or starts one.
func (l *lookups) begin(ctx context.Context, name string, do lookupFunc) *lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.underway[name]; known != nil {
		known.waiting++
		return known
	}
	x := &lookup{waiting: 1, done: make(chan struct{})}
	ctx, x.cancel = context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
	if l.underway == nil {
		l.underway = make(map[string]*lookup)
	}
	l.underway[name] = x
	go func() { // stop waits for it
		defer close(x.done)
		defer x.cancel()
		x.addresses, x.err = do(ctx, name)
	}()
	return x
}

// end gives up waiting for a lookup. If it is over, the name is looked up anew next time.
func (l *lookups) end(name string, x *lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x.waiting--
	select {
	case <-x.done:
		if l.underway[name] == x {
			delete(l.underway, name)
		}
	default:
	}
}

// stop ends the lookups that nobody waits for any longer. It returns ctx's error if that
// ends first.
func (l *lookups) stop(ctx context.Context) error {
	l.mu.Lock()
	var ending []*lookup
	for name, x := range l.underway {
		if x.waiting == 0 {
			x.cancel()
			delete(l.underway, name)
			ending = append(ending, x)
		}
	}
	l.mu.Unlock()
	for _, x := range ending {
		select {
		case <-x.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// host returns "host:port" once for each IP of the host.
func (l *lookups) host(ctx context.Context, address string) ([]string, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{address}, nil
	}
	ips, err := l.resolver.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("discovery: cannot resolve %q, check the name and the DNS server: %w", address, err)
	}
	addresses := make([]string, len(ips))
	for i, ip := range ips {
		addresses[i] = net.JoinHostPort(ip, port)
	}
	return addresses, nil
}
